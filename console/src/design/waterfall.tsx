import { useState, type KeyboardEvent } from 'react'
import { Segments } from './segments.tsx'
import { Table, type Column } from './table.tsx'
import { rowsOf, tickLabels, ticksOf, type Row, type Span } from './timeline.ts'
import { formatMs } from './units.ts'
import './waterfall.css'

const TICKS_MAX = 5

/** The stages of a request over time: bars for those that work, dimension lines for those that
 *  only hold others. The same as a table for those who read rather than look. */
export function Waterfall({ title, spans }: { title: string; spans: readonly Span[] }) {
  const [view, setView] = useState<'chart' | 'table'>('chart')
  const rows = rowsOf(spans)
  return (
    <section className="waterfall" aria-label={title}>
      <header className="waterfall-head">
        <h2 className="label">{title}</h2>
        <Segments
          label="Show the stages as"
          value={view}
          onChange={setView}
          options={[
            { value: 'chart', name: 'Waterfall', icon: 'chart' },
            { value: 'table', name: 'Table', icon: 'table' },
          ]}
        />
      </header>
      {view === 'chart' ? (
        <Chart rows={rows} />
      ) : (
        <Table caption={title} columns={COLUMNS} rows={rows} keyOf={(_, at) => at} />
      )}
    </section>
  )
}

const COLUMNS: readonly Column<Row>[] = [
  {
    name: 'Stage',
    cell: (row) => (
      <span className="waterfall-nested" style={{ '--depth': row.depth }}>
        {row.span.name}
      </span>
    ),
  },
  { name: 'Start', cell: (row) => formatMs(row.span.startMs), figure: true },
  { name: 'End', cell: (row) => formatMs(row.span.endMs), figure: true },
  { name: 'Time', cell: (row) => formatMs(row.span.endMs - row.span.startMs), figure: true },
  {
    name: 'Attributes',
    cell: (row) =>
      Object.entries(row.span.attributes)
        .map(([name, value]) => `${name} ${written(value)}`)
        .join(', ') || '–',
  },
]

function Chart({ rows }: { rows: readonly Row[] }) {
  const slowest = rows.reduce((best, row, at) => (!row.isOuter && lengthOf(row) > lengthOf(rows[best]) ? at : best), 0)
  const [chosen, setChosen] = useState<number>()
  const shown = Math.min(chosen ?? slowest, rows.length - 1)
  const ticks = ticksOf(Math.max(...rows.map((row) => row.span.endMs)), TICKS_MAX)
  const scaleMs = ticks.at(-1) ?? 1
  const row = rows[shown]
  const move = (event: KeyboardEvent<HTMLOListElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -rows.length, End: rows.length }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const target = Math.max(0, Math.min(rows.length - 1, shown + step))
    event.currentTarget.querySelectorAll<HTMLElement>('.waterfall-row')[target]?.focus()
  }
  return (
    <div className="waterfall-chart">
      <div className="waterfall-scale" aria-hidden="true">
        {tickLabels(ticks).map((label, at) => (
          <span
            key={label}
            style={{ '--at': (ticks[at] ?? 0) / scaleMs }}
            data-last={at === ticks.length - 1 || undefined}
          >
            {label}
          </span>
        ))}
      </div>
      <ol className="waterfall-rows" onKeyDown={move}>
        {rows.map((one, at) => (
          <li key={at}>
            <Bar row={one} scaleMs={scaleMs} isShown={at === shown} onShow={() => setChosen(at)} />
          </li>
        ))}
      </ol>
      {row !== undefined && <Detail row={row} />}
    </div>
  )
}

function Bar({ row, scaleMs, isShown, onShow }: { row: Row; scaleMs: number; isShown: boolean; onShow: () => void }) {
  const { span, depth, isOuter, category } = row
  const place = {
    '--from': span.startMs / scaleMs,
    '--width': lengthOf(row) / scaleMs,
    '--category': category > 0 ? `var(--category-${category})` : 'var(--edge)',
  }
  return (
    <button
      type="button"
      className="waterfall-row"
      data-shown={isShown || undefined}
      tabIndex={isShown ? 0 : -1}
      aria-current={isShown || undefined}
      aria-label={`${span.name}: ${formatMs(lengthOf(row))}, from ${formatMs(span.startMs)} to ${formatMs(span.endMs)}`}
      onPointerEnter={onShow}
      onFocus={onShow}
      onClick={onShow}
    >
      <span className="waterfall-name" style={{ '--depth': depth }}>
        {span.name}
      </span>
      <span className="waterfall-track">
        <span className={isOuter ? 'waterfall-dimension' : 'waterfall-bar'} style={place} />
      </span>
      <span className="waterfall-figure figure">{formatMs(lengthOf(row))}</span>
    </button>
  )
}

function Detail({ row }: { row: Row }) {
  const entries = Object.entries(row.span.attributes)
  return (
    <dl className="waterfall-detail">
      <div>
        <dt>{row.span.name}</dt>
        <dd className="figure">
          {formatMs(row.span.startMs)} to {formatMs(row.span.endMs)}
        </dd>
      </div>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="figure">{written(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

const lengthOf = (row: Row | undefined): number => (row === undefined ? 0 : row.span.endMs - row.span.startMs)

const written = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : typeof value === 'number'
      ? String(Number(value.toPrecision(6)))
      : JSON.stringify(value)
