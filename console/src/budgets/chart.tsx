import { useId, useState } from 'react'
import type { BurnDown, Unit } from '../api/budgets.ts'
import { formatAmount, formatFigure } from '../design/amount.ts'
import { Segments } from '../design/segments.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatTime } from '../design/units.ts'
import { type Chart, chartOf, fanPath, middlePath, rowsOf, stepPath, timeTicks, xOf, yOf } from './burndown.ts'
import './chart.css'

const TICKS_MAX = 7
const ROWS_MAX = 48
const DAY_MS = 86_400_000

interface Props {
  readonly unit: Unit
  readonly burnDown: BurnDown
  /** What the chart comes to, in words. */
  readonly sentence: string
}

/** What remains of a limit over its window, and the fan of where that leads; the same as a table. */
export function BurnDownChart({ unit, burnDown, sentence }: Props) {
  const [view, setView] = useState<'chart' | 'table'>('chart')
  const id = useId()
  const chart = chartOf(burnDown)
  if (chart === undefined || burnDown.used === undefined) return null
  return (
    <section className="burndown" aria-labelledby={id}>
      <header className="screen-part-head">
        <h3 className="label" id={id}>
          Remaining over the window
        </h3>
        <Segments
          label="Show what remains as"
          value={view}
          onChange={setView}
          options={[
            { value: 'chart', name: 'Chart', icon: 'chart' },
            { value: 'table', name: 'Table', icon: 'table' },
          ]}
        />
      </header>
      {view === 'chart' ? (
        <Drawing chart={chart} unit={unit} sentence={sentence} />
      ) : (
        <Rows chart={chart} unit={unit} nowMs={burnDown.nowMs} />
      )}
      <p className="burndown-basis">
        {burnDown.used.basis} (n = {formatFigure('requests', burnDown.used.requests)} requests)
      </p>
    </section>
  )
}

function Drawing({ chart, unit, sentence }: { chart: Chart; unit: Unit; sentence: string }) {
  const { top, nowMs, fan } = chart
  const zero = yOf(chart, 0)
  const now = xOf(chart, nowMs)
  const ticks = timeTicks(chart, TICKS_MAX)
  return (
    <div className="burndown-frame">
      <div className="burndown-levels" aria-hidden="true">
        <span className="figure" style={{ '--at': 0 }}>
          {formatFigure(unit, top)}
        </span>
        <span className="figure" style={{ '--at': zero / 2 }}>
          {formatFigure(unit, top / 2)}
        </span>
        <span className="figure" data-tone="danger" style={{ '--at': zero }}>
          0
        </span>
      </div>
      <div className="burndown-field" role="img" aria-label={`Remaining of ${formatAmount(unit, top)}. ${sentence}`}>
        <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
          {ticks.map((atMs) => (
            <path key={atMs} className="burndown-grid" d={`M${xOf(chart, atMs) * 1000} 0V1000`} />
          ))}
          <path className="burndown-grid" d={`M0 ${zero * 500}H1000`} />
          <path
            className="burndown-area"
            d={`${stepPath(chart)}V${zero * 1000}H${xOf(chart, chart.steps[0]?.atMs ?? 0) * 1000}Z`}
          />
          <path className="burndown-fan" d={fanPath(chart)} />
          <path className="burndown-middle" d={middlePath(chart)} />
          <path className="burndown-steps" d={stepPath(chart)} />
          <path className="burndown-limit" d={`M0 ${zero * 1000}H1000`} />
          <path className="burndown-now" d={`M${now * 1000} 0V1000`} />
        </svg>
        <span className="burndown-mark" data-late={now > 0.8 || undefined} style={{ '--at': now }}>
          now
        </span>
        {zero < 0.999 && (
          <span className="burndown-spent" style={{ '--at': zero }}>
            spent
          </span>
        )}
      </div>
      <div className="burndown-times figure" aria-hidden="true">
        {ticks.map((atMs, at) => (
          <span
            key={atMs}
            style={{ '--at': xOf(chart, atMs) }}
            data-odd={at % 2 === 1 || undefined}
            data-late={xOf(chart, atMs) > 0.92 || undefined}
          >
            {tickText(chart, atMs)}
          </span>
        ))}
      </div>
      <ul className="burndown-legend" aria-hidden="true">
        <li data-what="steps">remains, by the hour</li>
        {fan.length > 0 && (
          <>
            <li data-what="middle">p50 of 1,000 futures</li>
            <li data-what="fan">p10 to p90</li>
          </>
        )}
        <li data-what="limit">limit spent</li>
      </ul>
    </div>
  )
}

const hour = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

const tickText = ({ fromMs, toMs }: Chart, atMs: number): string =>
  (toMs - fromMs > 3 * DAY_MS ? day : hour).format(atMs)

interface Row {
  readonly atMs: number
  readonly remains: string
  readonly low: string
  readonly high: string
}

function Rows({ chart, unit, nowMs }: { chart: Chart; unit: Unit; nowMs: number }) {
  const past = rowsOf(chart, ROWS_MAX).map(({ atMs, remaining }) => ({
    atMs,
    remains: formatFigure(unit, remaining),
    low: '–',
    high: '–',
  }))
  const ahead = chart.fan.slice(1).map(({ atMs, low, middle, high }) => ({
    atMs,
    remains: formatFigure(unit, middle),
    low: formatFigure(unit, low),
    high: formatFigure(unit, high),
  }))
  const columns: readonly Column<Row>[] = [
    { name: 'When', cell: ({ atMs }) => `${formatTime(atMs, nowMs)}${atMs > nowMs ? ' (expected)' : ''}` },
    { name: 'Remains', cell: ({ remains }) => remains, figure: true },
    { name: 'p10', cell: ({ low }) => low, figure: true },
    { name: 'p90', cell: ({ high }) => high, figure: true },
  ]
  return (
    <Table
      caption={`Remaining of ${formatAmount(unit, chart.top)}, hour by hour, and what is expected`}
      columns={columns}
      rows={[...past, ...ahead]}
      keyOf={(_, at) => at}
    />
  )
}
