import { useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react'
import type { Trace } from '../api/traces.ts'
import { Button } from '../design/button.tsx'
import { decadesOf, placeOf } from '../design/logscale.ts'
import { formatCount, formatMs, formatTime } from '../design/units.ts'
import { areaOf, boxOf, gridOf, isIn, shadeOf, type Area, type Cell, type Grid } from './density.ts'

const COLUMNS = 60
const NAMES = 4

interface Props {
  readonly traces: readonly Trace[]
  readonly fromMs: number
  readonly toMs: number
  readonly brush: Area | undefined
  readonly onBrush: (area: Area | undefined) => void
}

/** Where requests are dense: time to the right, latency upwards on a logarithmic scale, the darker the
 *  more. Some are taken out by dragging, or by arrow keys with Shift and then Enter. */
export function HeatMap({ traces, fromMs, toMs, brush, onBrush }: Props) {
  const grid = useMemo(() => gridOf(traces, fromMs, toMs, COLUMNS), [traces, fromMs, toMs])
  const field = useRef<HTMLDivElement>(null)
  const [corners, setCorners] = useState<readonly [Cell, Cell]>()
  const [isDragging, setDragging] = useState(false)
  const drawn = corners === undefined ? brush : areaOf(grid, corners[0], corners[1])
  const cellAt = ({ clientX, clientY }: PointerEvent): Cell => {
    const box = field.current?.getBoundingClientRect() ?? new DOMRect(0, 0, 1, 1)
    const across = Math.floor(((clientX - box.left) / box.width) * grid.columns)
    const up = Math.floor((1 - (clientY - box.top) / box.height) * grid.rows)
    return { column: within(across, grid.columns), row: within(up, grid.rows) }
  }
  const take = (area: Area | undefined) => {
    setCorners(undefined)
    onBrush(area)
  }
  const press = (event: KeyboardEvent) => {
    const next = keyed(grid, corners, event)
    if (next !== undefined) setCorners(next)
    else if (event.key === 'Enter' && corners !== undefined) take(areaOf(grid, corners[0], corners[1]))
    else if (event.key === 'Escape') take(undefined)
    else return
    event.preventDefault()
  }
  const count = drawn === undefined ? traces.length : traces.filter((trace) => isIn(drawn, trace)).length
  return (
    <section className="heatmap" aria-label="Latency over time">
      <header className="screen-part-head">
        <h2 className="label">Latency over time</h2>
        <span className="figure" role="status">
          {drawn === undefined
            ? `${formatCount(count)} traces`
            : `${areaText(drawn, toMs)}: ${formatCount(count)} of ${formatCount(traces.length)}`}
        </span>
        {brush !== undefined && (
          <Button kind="quiet" icon="close" onClick={() => take(undefined)}>
            All again
          </Button>
        )}
      </header>
      <div className="heatmap-frame">
        <div className="heatmap-levels figure" aria-hidden="true">
          {decadesOf(grid.scale).map((level) => (
            <span key={level} style={{ '--at': 1 - placeOf(grid.scale, level) }}>
              {formatMs(level)}
            </span>
          ))}
        </div>
        <div
          ref={field}
          className="heatmap-field"
          role="application"
          tabIndex={0}
          aria-label="Density of latency over time. Arrow keys point at a part, with Shift they widen it, Enter shows what lies in it, Escape all again."
          onKeyDown={press}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId)
            const cell = cellAt(event)
            setDragging(true)
            setCorners([cell, cell])
          }}
          onPointerMove={(event) => {
            if (isDragging && corners !== undefined) setCorners([corners[0], cellAt(event)])
          }}
          onPointerUp={() => {
            setDragging(false)
            if (corners !== undefined) take(areaOf(grid, corners[0], corners[1]))
          }}
          onPointerCancel={() => {
            setDragging(false)
            setCorners(undefined)
          }}
        >
          <Cells grid={grid} />
          {drawn !== undefined && <Brush grid={grid} area={drawn} />}
        </div>
        <div className="heatmap-names figure" aria-hidden="true">
          {Array.from({ length: NAMES + 1 }, (_, at) => (
            <span key={at}>{formatTime(fromMs + ((toMs - fromMs) * at) / NAMES, toMs)}</span>
          ))}
        </div>
      </div>
    </section>
  )
}

const within = (at: number, count: number): number => Math.max(0, Math.min(count - 1, at))

/** Where a key leads: the far corner moves with Shift, else both. Undefined: the key is no arrow. */
function keyed(
  { columns, rows }: Grid,
  corners: readonly [Cell, Cell] | undefined,
  { key, shiftKey }: KeyboardEvent,
): readonly [Cell, Cell] | undefined {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key]
  if (step === undefined) return undefined
  const middle = { column: Math.floor(columns / 2), row: Math.floor(rows / 2) }
  if (corners === undefined) return [middle, middle]
  const [from, to] = corners
  const moved = { column: within(to.column + (step[0] ?? 0), columns), row: within(to.row + (step[1] ?? 0), rows) }
  return [shiftKey ? from : moved, moved]
}

function Cells({ grid: { columns, rows, counts, most } }: { grid: Grid }) {
  return (
    <svg viewBox={`0 0 ${columns} ${rows}`} preserveAspectRatio="none" aria-hidden="true">
      {counts.map((count, at) =>
        count === 0 ? null : (
          <rect
            key={at}
            x={at % columns}
            y={rows - 1 - Math.floor(at / columns)}
            width={1}
            height={1}
            fillOpacity={shadeOf(count, most)}
          />
        ),
      )}
    </svg>
  )
}

function Brush({ grid, area }: { grid: Grid; area: Area }) {
  const { left, bottom, width, height } = boxOf(grid, area)
  return (
    <div
      className="heatmap-brush"
      style={{ '--left': left, '--bottom': bottom, '--width': width, '--height': height }}
    />
  )
}

const areaText = ({ fromMs, toMs, lowMs, highMs }: Area, nowMs: number): string =>
  `${formatTime(fromMs, nowMs)} to ${formatTime(toMs, nowMs)}, ${formatMs(lowMs)} to ${formatMs(highMs)}`
