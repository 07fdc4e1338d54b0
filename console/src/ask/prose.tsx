import { Fragment, memo, type ReactNode } from 'react'
import type { Source } from '../api/answer.ts'
import { CitationChip } from '../design/chip.tsx'
import { CopyText } from '../design/copy.tsx'
import { parseMarkdown, type Block, type Inline } from './markdown.ts'
import { sourceId } from './sources.tsx'

interface Citing {
  readonly sources: readonly Source[]
  readonly pointed: number | undefined
  readonly onPoint: (number: number | undefined) => void
  readonly onVisit: (number: number) => void
}

interface Props extends Citing {
  readonly text: string
  readonly isRunning: boolean
}

/** An answer, drawn. A citation of a source that is not there stays the text it was. */
export function Prose({ text, isRunning, ...citing }: Props) {
  return (
    <div className="prose" data-running={isRunning || undefined}>
      <Blocks blocks={parseMarkdown(text)} citing={citing} />
    </div>
  )
}

function Blocks({ blocks, citing }: { blocks: readonly Block[]; citing: Citing }) {
  return blocks.map((block, at) => <Fragment key={at}>{drawBlock(block, citing)}</Fragment>)
}

function drawBlock(block: Block, citing: Citing): ReactNode {
  const inlines = (list: readonly Inline[]) => <Inlines inlines={list} citing={citing} />
  switch (block.kind) {
    case 'paragraph':
      return <p>{inlines(block.inlines)}</p>
    case 'quote':
      return <blockquote>{inlines(block.inlines)}</blockquote>
    case 'heading':
      // The page's own headings are the first two levels.
      return block.level === 1 ? <h3>{inlines(block.inlines)}</h3> : <h4>{inlines(block.inlines)}</h4>
    case 'rule':
      return <hr />
    case 'code':
      return <Code text={block.text} language={block.language} />
    case 'list': {
      const items = block.items.map((item, at) => (
        <li key={at}>
          {inlines(item.inlines)}
          <Blocks blocks={item.inner} citing={citing} />
        </li>
      ))
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>
    }
    case 'table':
      return (
        <div className="prose-table" tabIndex={0} role="region" aria-label="Table in the answer">
          <table className="table">
            <thead>
              <tr>
                {block.head.map((cell, at) => (
                  <th key={at} scope="col">
                    {inlines(cell)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, column) => (
                    <td key={column}>{inlines(cell)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
  }
}

const Code = memo(function Code({ text, language }: { text: string; language: string }) {
  return (
    <figure className="prose-code">
      <figcaption>
        <span className="label">{language || 'text'}</span>
        <CopyText text={text} what="the code" />
      </figcaption>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </figure>
  )
})

function Inlines({ inlines, citing }: { inlines: readonly Inline[]; citing: Citing }) {
  return inlines.map((inline, at) => <Fragment key={at}>{drawInline(inline, citing)}</Fragment>)
}

function drawInline(inline: Inline, citing: Citing): ReactNode {
  switch (inline.kind) {
    case 'text':
      return inline.text
    case 'code':
      return <code>{inline.text}</code>
    case 'strong':
      return (
        <strong>
          <Inlines inlines={inline.inlines} citing={citing} />
        </strong>
      )
    case 'emphasis':
      return (
        <em>
          <Inlines inlines={inline.inlines} citing={citing} />
        </em>
      )
    case 'link':
      return (
        <a href={inline.href} target="_blank" rel="noopener noreferrer nofollow">
          <Inlines inlines={inline.inlines} citing={citing} />
        </a>
      )
    case 'citation':
      return <Citation number={inline.number} citing={citing} />
  }
}

function Citation({ number, citing }: { number: number; citing: Citing }) {
  const source = citing.sources.find((one) => one.number === number)
  if (source === undefined) return `[${number}]`
  return (
    <CitationChip
      number={number}
      title={source.title}
      active={citing.pointed === number}
      href={`#${sourceId(number)}`}
      onPointerEnter={() => citing.onPoint(number)}
      onPointerLeave={() => citing.onPoint(undefined)}
      onFocus={() => citing.onPoint(number)}
      onBlur={() => citing.onPoint(undefined)}
      onClick={(event) => {
        event.preventDefault()
        citing.onVisit(number)
      }}
    />
  )
}
