import { useState } from 'react'
import type { Source } from '../api/answer.ts'
import { Button } from '../design/button.tsx'
import { Card } from '../design/card.tsx'
import { Marked } from './marked.tsx'
import { excerptOf, headingLength, within } from './passage.ts'

export const sourceId = (number: number): string => `source-${number}`

interface Props {
  readonly sources: readonly Source[]
  readonly pointed: number | undefined
  readonly onPoint: (number: number | undefined) => void
  readonly onOpen: (source: Source) => void
}

export function Sources({ sources, pointed, onPoint, onOpen }: Props) {
  return (
    <section className="sources" aria-label="Sources">
      <header className="answer-head">
        <h2 className="label">Sources</h2>
        <span className="sources-count figure">{sources.length}</span>
      </header>
      <ol className="sources-list">
        {sources.map((source) => (
          <li key={source.number}>
            <SourceCard source={source} isPointed={pointed === source.number} onPoint={onPoint} onOpen={onOpen} />
          </li>
        ))}
      </ol>
    </section>
  )
}

interface CardProps extends Omit<Props, 'sources' | 'pointed'> {
  readonly source: Source
  readonly isPointed: boolean
}

function SourceCard({ source, isPointed, onPoint, onOpen }: CardProps) {
  const [isWhole, setWhole] = useState(false)
  const excerpt = excerptOf(source.text, source.quotes)
  const isCut = excerpt.start > headingLength(source.text) || excerpt.end < source.text.length
  const shown = isWhole ? { start: 0, end: source.text.length } : excerpt
  const quotes = source.quotes.map((quote) => within(quote, shown)).filter((quote) => quote !== undefined)
  return (
    <Card
      id={sourceId(source.number)}
      className="source"
      tabIndex={-1}
      active={isPointed}
      data-quoted={source.quotes.length > 0 || undefined}
      data-whole={isWhole || undefined}
      onPointerEnter={() => onPoint(source.number)}
      onPointerLeave={() => onPoint(undefined)}
      onFocus={() => onPoint(source.number)}
      onBlur={() => onPoint(undefined)}
      head={
        <>
          <span className="source-number figure" aria-hidden="true">
            {source.number}
          </span>
          <div className="source-name">
            <h3>
              <span className="unseen">Source {source.number}: </span>
              {source.title}
            </h3>
            <Path headings={source.headings} title={source.title} />
          </div>
        </>
      }
    >
      <p className="source-text">
        {shown.start > headingLength(source.text) && '… '}
        <Marked
          text={source.text.slice(shown.start, shown.end).trim()}
          quotes={quotes}
          shift={leading(source.text.slice(shown.start, shown.end))}
        />
        {shown.end < source.text.length && ' …'}
      </p>
      <footer className="source-foot">
        <span className="source-uri" title={source.uri}>
          {source.uri}
        </span>
        {(isCut || isWhole) && (
          <Button kind="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? 'Less' : 'Passage'}
          </Button>
        )}
        {source.document !== '' && (
          <Button kind="quiet" icon="page" onClick={() => onOpen(source)}>
            Document
          </Button>
        )}
      </footer>
    </Card>
  )
}

const leading = (text: string): number => text.length - text.trimStart().length

/** Where in the document: the headings above the passage, the title not repeated. */
function Path({ headings, title }: { headings: readonly string[]; title: string }) {
  const path = headings.filter((heading, at) => at > 0 || heading !== title)
  if (path.length === 0) return null
  return <p className="source-path">{path.join(' › ')}</p>
}
