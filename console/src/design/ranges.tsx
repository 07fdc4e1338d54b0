import { useRef, useState, type KeyboardEvent } from 'react'
import { decadesOf, logScale, placeOf } from './logscale.ts'
import './ranges.css'

export interface Range {
  readonly name: string
  /** Beneath the axis; few of many are shown. */
  readonly short: string
  readonly n: number
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
}

interface Props {
  readonly label: string
  readonly ranges: readonly Range[]
  readonly format: (value: number) => string
}

const SHORT_MAX = 8

/** Percentiles in a row of time on a logarithmic scale: solid from p50 to p95, a line on to p99. One is
 *  told in words below: the one pointed at or walked to. */
export function Ranges({ label, ranges, format }: Props) {
  const list = useRef<HTMLOListElement>(null)
  const [chosen, setChosen] = useState(ranges.length - 1)
  const shown = Math.min(chosen, ranges.length - 1)
  const scale = logScale(ranges.flatMap(({ p50, p99 }) => [p50 ?? 0, p99 ?? 0]))
  const place = (value: number | undefined): number => placeOf(scale, value ?? 0)
  const every = Math.ceil(ranges.length / SHORT_MAX)
  const press = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -ranges.length, End: ranges.length }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const target = Math.max(0, Math.min(ranges.length - 1, shown + step))
    list.current?.querySelectorAll<HTMLElement>('.ranges-place > button')[target]?.focus()
  }
  const detail = ranges[shown]
  return (
    <div className="ranges">
      <div className="ranges-frame">
        <div className="ranges-levels figure" aria-hidden="true">
          {decadesOf(scale).map((level) => (
            <span key={level} style={{ '--at': 1 - placeOf(scale, level) }}>
              {format(level)}
            </span>
          ))}
        </div>
        <ol ref={list} className="ranges-field" aria-label={label} onKeyDown={press}>
          {decadesOf(scale).map((level) => (
            <li key={level} className="ranges-grid" aria-hidden="true" style={{ '--at': 1 - placeOf(scale, level) }} />
          ))}
          {ranges.map((range, at) => (
            <li key={range.name} className="ranges-place">
              <button
                type="button"
                data-shown={at === shown || undefined}
                tabIndex={at === shown ? 0 : -1}
                aria-label={`${range.name}: ${told(range, format)}`}
                onPointerEnter={() => setChosen(at)}
                onFocus={() => setChosen(at)}
                onClick={() => setChosen(at)}
              >
                {range.p50 !== undefined && (
                  <>
                    <span
                      className="ranges-tail"
                      style={{ '--from': place(range.p50), '--size': place(range.p99) - place(range.p50) }}
                    />
                    <span
                      className="ranges-body"
                      style={{ '--from': place(range.p50), '--size': place(range.p95) - place(range.p50) }}
                    />
                  </>
                )}
              </button>
            </li>
          ))}
        </ol>
        <div className="ranges-names figure" aria-hidden="true">
          {ranges.map((range, at) => (
            <span key={range.name} data-odd={Math.floor((ranges.length - 1 - at) / every) % 2 === 1 || undefined}>
              {(ranges.length - 1 - at) % every === 0 && <span>{range.short}</span>}
            </span>
          ))}
        </div>
      </div>
      {detail !== undefined && (
        <p className="ranges-detail figure" aria-hidden="true">
          <span>{detail.name}</span>
          <strong>{told(detail, format)}</strong>
        </p>
      )}
    </div>
  )
}

/** `p50 38 ms, p95 120 ms, p99 300 ms, n 45`. */
function told({ n, p50, p95, p99 }: Range, format: (value: number) => string): string {
  if (p50 === undefined || p95 === undefined || p99 === undefined) return 'nothing measured'
  return `p50 ${format(p50)}, p95 ${format(p95)}, p99 ${format(p99)}, n ${n}`
}
