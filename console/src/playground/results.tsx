import { useLayoutEffect, useRef } from 'react'
import type { Passage } from '../api/search.ts'
import { Marked } from '../ask/marked.tsx'
import { Card } from '../design/card.tsx'
import { Name } from '../design/name.tsx'
import { Tier } from '../design/tier.tsx'
import { densestOf, highlightsOf } from './highlight.ts'

interface Props {
  readonly passages: readonly Passage[]
  readonly question: string
  readonly onOpen: (passage: Passage) => void
}

const LEGS = [
  { leg: 'words', name: 'Words', unit: 'BM25' },
  { leg: 'vector', name: 'Vector', unit: 'cosine' },
] as const

/** What stays visible of a text above the word it is opened at. */
const LINE_ABOVE_PX = 28

/** What was found, best first, and where each leg of the search had it. */
export function Results({ passages, question, onOpen }: Props) {
  const legs = LEGS.filter(({ leg }) => passages.some((passage) => passage.legs.has(leg))).map((one) => ({
    ...one,
    most: Math.max(...passages.map((passage) => passage.legs.get(one.leg)?.score ?? 0)),
  }))
  return (
    <>
      {legs.length > 0 && (
        <p className="minor">
          Bars: {legs.map(({ name, unit }) => `${name.toLowerCase()}, ${unit} beside the best shown here`).join('; ')}.
        </p>
      )}
      <ol className="result-list">
        {passages.map((passage, at) => (
          <li key={`${passage.document} ${passage.start}`}>
            <Card className="result" aria-label={`${at + 1}: ${passage.title}`}>
              <header className="result-head">
                <span className="result-rank figure">{at + 1}</span>
                <button type="button" className="result-title" onClick={() => onOpen(passage)}>
                  <bdi>{passage.title}</bdi>
                </button>
                {passage.trust === 'untrusted' && <Tier tone="caution">untrusted</Tier>}
                <span className="minor figure" title="What it was ranked by; comparable within one search only">
                  score {formatScore(passage.score)}
                </span>
              </header>
              <p className="result-where minor">
                {passage.headings.length > 0 ? passage.headings.join(' › ') : <Name>{passage.uri}</Name>}
              </p>
              <Text text={passage.text} question={question} />
              {legs.length > 0 && (
                <dl className="legs figure">
                  {legs.map(({ leg, name, most }) => (
                    <Leg key={leg} name={name} had={passage.legs.get(leg)} most={most} />
                  ))}
                </dl>
              )}
            </Card>
          </li>
        ))}
      </ol>
    </>
  )
}

/** Opened where the words of the question stand: passages are longer than their cards. */
function Text({ text, question }: { readonly text: string; readonly question: string }) {
  const box = useRef<HTMLParagraphElement>(null)
  const highlights = highlightsOf(text, question)
  const opened = densestOf(highlights)
  useLayoutEffect(() => {
    const mark = opened === undefined ? undefined : box.current?.querySelectorAll('mark')[opened]
    if (box.current === null || mark === undefined) return
    const above = mark.getBoundingClientRect().top - box.current.getBoundingClientRect().top
    box.current.scrollTop += above - LINE_ABOVE_PX
  }, [opened])
  return (
    <p className="result-text" ref={box}>
      <Marked text={text} quotes={highlights} />
    </p>
  )
}

interface LegProps {
  readonly name: string
  readonly had: { readonly score: number; readonly rank: number } | undefined
  readonly most: number
}

function Leg({ name, had, most }: LegProps) {
  return (
    <div className="leg" data-leg={name}>
      <dt>{name}</dt>
      <dd className="leg-rank">{had === undefined ? '–' : `rank ${had.rank}`}</dd>
      <dd className="leg-track" aria-hidden="true">
        {had !== undefined && (
          <span className="leg-bar" style={{ '--size': most > 0 ? Math.max(0, had.score) / most : 0 }} />
        )}
      </dd>
      <dd className="leg-score">{had === undefined ? 'not found' : formatScore(had.score)}</dd>
    </div>
  )
}

const formatScore = (score: number): string => (Math.abs(score) >= 10 ? score.toFixed(1) : score.toFixed(3))
