import { useRef, useState, type KeyboardEvent } from 'react'
import type { Result } from '../api/problem.ts'
import type { OneTrace, TraceSpan } from '../api/traces.ts'
import { tickLabels, ticksOf } from '../design/timeline.ts'
import { formatCount, formatMs } from '../design/units.ts'
import { depthsOf, pagesIn, visibleRows } from './virtual.ts'

const ROW_PX = 26
const ROWS_SHOWN = 24
const TICKS_MAX = 5

interface Props {
  readonly total: number
  readonly first: readonly TraceSpan[]
  readonly pageSpans: number
  readonly totalMs: number
  readonly load: (offset: number) => Promise<Result<OneTrace>>
}

/** The spans of a large trace in order of their start: only those in sight are drawn, and only pages
 *  that came into sight are asked for. */
export function SpanList({ total, first, pageSpans, totalMs, load }: Props) {
  const [pages, setPages] = useState<ReadonlyMap<number, readonly TraceSpan[]>>(new Map([[0, first]]))
  const [problem, setProblem] = useState('')
  const asked = useRef(new Set([0]))
  const frame = useRef<HTMLDivElement>(null)
  const [topPx, setTop] = useState(0)
  const [chosen, setChosen] = useState(0)
  const startMs = first[0]?.atMs ?? 0
  const ticks = ticksOf(totalMs, TICKS_MAX)
  const scaleMs = ticks.at(-1) ?? 1
  const rows = visibleRows(topPx, ROW_PX, ROWS_SHOWN, total)
  const depths = depthsOf(pages)
  const spanAt = (at: number): TraceSpan | undefined => pages.get(Math.floor(at / pageSpans))?.[at % pageSpans]
  const arrive = (px: number) => {
    setTop(px)
    for (const page of pagesIn(visibleRows(px, ROW_PX, ROWS_SHOWN, total), pageSpans)) {
      if (asked.current.has(page)) continue
      asked.current.add(page)
      void load(page * pageSpans).then((result) => {
        if (result.ok) {
          setProblem('')
          return setPages((before) => new Map([...before, [page, result.value.spans]]))
        }
        asked.current.delete(page)
        return setProblem(result.problem.message)
      })
    }
  }
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: ROWS_SHOWN, PageUp: -ROWS_SHOWN, Home: -total, End: total }[
      event.key
    ]
    if (step === undefined) return
    event.preventDefault()
    const target = Math.max(0, Math.min(total - 1, chosen + step))
    setChosen(target)
    const box = frame.current
    if (box === null) return
    const px = target * ROW_PX
    if (px < box.scrollTop || px + ROW_PX > box.scrollTop + box.clientHeight)
      box.scrollTop = px - (step > 0 ? box.clientHeight - ROW_PX : 0)
  }
  return (
    <section className="panel" aria-label="Spans">
      <header className="screen-part-head">
        <h2 className="label">
          Spans <span className="figure">{formatCount(total)}</span>
        </h2>
      </header>
      {problem !== '' && <p role="alert">{problem} Scroll on to try again.</p>}
      <div className="span-scale figure" aria-hidden="true">
        {tickLabels(ticks).map((label, at) => (
          <span key={label} style={{ '--at': (ticks[at] ?? 0) / scaleMs }}>
            {label}
          </span>
        ))}
      </div>
      <div
        ref={frame}
        className="span-frame"
        role="listbox"
        tabIndex={0}
        aria-label={`${formatCount(total)} spans by their start`}
        aria-activedescendant={`span-${chosen}`}
        style={{ '--rows': ROWS_SHOWN }}
        onScroll={(event) => arrive(event.currentTarget.scrollTop)}
        onKeyDown={press}
      >
        <div className="span-all" style={{ height: total * ROW_PX }}>
          {rows.map((at) => (
            <SpanRow
              key={at}
              at={at}
              total={total}
              span={spanAt(at)}
              depth={depths.get(spanAt(at)?.id ?? '') ?? 0}
              fromMs={(spanAt(at)?.atMs ?? startMs) - startMs}
              scaleMs={scaleMs}
              isChosen={at === chosen}
              onChoose={() => setChosen(at)}
            />
          ))}
        </div>
      </div>
      <Detail span={spanAt(chosen)} at={chosen} startMs={startMs} />
    </section>
  )
}

interface RowProps {
  readonly at: number
  readonly total: number
  /** Undefined: on its way. */
  readonly span: TraceSpan | undefined
  readonly depth: number
  readonly fromMs: number
  readonly scaleMs: number
  readonly isChosen: boolean
  readonly onChoose: () => void
}

function SpanRow({ at, total, span, depth, fromMs, scaleMs, isChosen, onChoose }: RowProps) {
  return (
    <div
      id={`span-${at}`}
      className="span-row"
      role="option"
      aria-selected={isChosen}
      aria-posinset={at + 1}
      aria-setsize={total}
      data-tone={span?.status === 'error' ? 'danger' : undefined}
      style={{ top: at * ROW_PX, height: ROW_PX }}
      onClick={onChoose}
    >
      <span className="span-name" style={{ '--depth': Math.min(depth, 8) }}>
        {span === undefined ? '…' : span.name === '' ? span.kind : span.name}
      </span>
      <span className="span-track">
        {span !== undefined && (
          <span className="span-bar" style={{ '--from': fromMs / scaleMs, '--width': span.durationMs / scaleMs }} />
        )}
      </span>
      <span className="span-figure figure">{span !== undefined && formatMs(span.durationMs)}</span>
    </div>
  )
}

function Detail({ span, at, startMs }: { span: TraceSpan | undefined; at: number; startMs: number }) {
  if (span === undefined) return <p className="minor">Span {formatCount(at + 1)} is on its way.</p>
  const facts = { kind: span.kind, model: span.model, error: span.error, ...span.attributes }
  return (
    <dl className="waterfall-detail">
      <div>
        <dt>{span.name}</dt>
        <dd className="figure">
          {formatMs(span.atMs - startMs)} to {formatMs(span.atMs - startMs + span.durationMs)}
        </dd>
      </div>
      {Object.entries(facts).map(([name, value]) =>
        value === '' ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="figure">{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ),
      )}
    </dl>
  )
}
