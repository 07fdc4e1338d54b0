import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { Range, Source } from '../api/answer.ts'
import type { Document, House } from '../api/house.ts'
import type { Problem } from '../api/problem.ts'
import { Progress } from '../design/progress.tsx'
import { Sheet } from '../design/sheet.tsx'
import { ErrorState } from '../design/state.tsx'
import { formatBytes } from '../design/units.ts'
import { Marked } from './marked.tsx'
import { piecesOf, sectionsOf, within } from './passage.ts'

interface Props {
  readonly source: Source
  readonly house: House
  readonly onClose: () => void
}

/** The whole document of a source, scrolled to the passage. */
export function DocumentSheet({ source, house, onClose }: Props) {
  const [attempt, setAttempt] = useState(0)
  const [document, setDocument] = useState<Document>()
  const about = (
    <p className="document-about">
      <span>{source.uri}</span>
      {document !== undefined && (
        <span>{[document.mediaType, formatBytes(document.bytes)].filter(Boolean).join(', ')}</span>
      )}
    </p>
  )
  return (
    <Sheet title={source.title} about={about} onClose={onClose}>
      {document === undefined ? (
        <Loader
          key={attempt}
          source={source}
          house={house}
          onLoad={setDocument}
          onRetry={() => setAttempt(attempt + 1)}
        />
      ) : (
        <DocumentText text={document.text} source={source} />
      )}
    </Sheet>
  )
}

interface LoaderProps {
  readonly source: Source
  readonly house: House
  readonly onLoad: (document: Document) => void
  readonly onRetry: () => void
}

/** One attempt. */
function Loader({ source, house, onLoad, onRetry }: LoaderProps) {
  const [problem, setProblem] = useState<Problem>()
  useEffect(() => {
    const controller = new AbortController()
    void house.document(source.collection, source.document, controller.signal).then((result) => {
      if (controller.signal.aborted) return
      if (result.ok) onLoad(result.value)
      else setProblem(result.problem)
    })
    return () => controller.abort()
  }, [house, source, onLoad])
  if (problem === undefined) return <Progress label="Loading the document" />
  const { message, code, requestId } = problem
  return (
    <ErrorState
      title="The document could not be opened"
      message={message}
      code={code}
      requestId={requestId}
      onRetry={onRetry}
    />
  )
}

function DocumentText({ text, source }: { text: string; source: Source }) {
  const passage = { start: source.start, end: source.end }
  const first = useRef<HTMLSpanElement>(null)
  useLayoutEffect(() => {
    first.current?.scrollIntoView({ block: 'center' })
  }, [])
  const quotes = source.quotes.map(({ start, end }) => ({ start: start + source.start, end: end + source.start }))
  const goal = quotes[0]?.start ?? passage.start
  return (
    <div className="document" tabIndex={0} role="region" aria-label="Text of the document">
      {sectionsOf(text, goal).map((section) => (
        <div key={section.start} className="document-section" data-near={section.holdsStart || undefined}>
          <SectionText
            text={text}
            section={section}
            passage={passage}
            quotes={quotes}
            goal={section.holdsStart ? goal : undefined}
            anchor={first}
          />
        </div>
      ))}
    </div>
  )
}

interface SectionProps {
  readonly text: string
  readonly section: Range
  readonly passage: Range
  readonly quotes: readonly Range[]
  /** Where to scroll to, when it is in here. */
  readonly goal: number | undefined
  readonly anchor: RefObject<HTMLSpanElement | null>
}

function SectionText({ text, section, passage, quotes, goal, anchor }: SectionProps) {
  const own = text.slice(section.start, section.end)
  const inside = within(passage, section)
  let at = section.start
  return piecesOf(own, inside === undefined ? [] : [inside]).map((piece) => {
    const window = { start: at, end: at + piece.text.length }
    at = window.end
    // The passage is a block: the line break behind it is drawn by that.
    if (!piece.quoted)
      return <span key={window.start}>{window.start === passage.end ? piece.text.replace(/^\n/, '') : piece.text}</span>
    const marks = quotes.map((quote) => within(quote, window)).filter((mark) => mark !== undefined)
    const cut = goal === undefined ? 0 : Math.max(0, goal - window.start)
    return (
      <span key={window.start} className="document-passage">
        <Marked text={piece.text.slice(0, cut)} quotes={marks} />
        {goal !== undefined && <span ref={anchor} />}
        <Marked text={piece.text.slice(cut)} quotes={marks} shift={cut} />
      </span>
    )
  })
}
