import { useRef, useState, type KeyboardEvent } from 'react'
import './bars.css'
import { ticksOf } from './timeline.ts'

export interface Bar {
  readonly name: string
  /** Beneath the axis; few of many are shown. */
  readonly short: string
  readonly value: number
  /** What the value does not say. */
  readonly remark?: string | undefined
}

interface Props {
  readonly label: string
  readonly bars: readonly Bar[]
  readonly format: (value: number) => string
}

const TICKS_MAX = 4
const SHORT_MAX = 8

/** Amounts in a row of time. One is told in words below: the one pointed at or walked to. */
export function Bars({ label, bars, format }: Props) {
  const list = useRef<HTMLOListElement>(null)
  const [chosen, setChosen] = useState(bars.length - 1)
  const shown = Math.min(chosen, bars.length - 1)
  const most = Math.max(...bars.map(({ value }) => value), 0)
  const ticks = most > 0 ? ticksOf(most, TICKS_MAX) : [0, 1]
  const scale = ticks.at(-1) ?? 1
  const every = Math.ceil(bars.length / SHORT_MAX)
  const press = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -bars.length, End: bars.length }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const target = Math.max(0, Math.min(bars.length - 1, shown + step))
    list.current?.querySelectorAll<HTMLElement>('.bars-bar')[target]?.focus()
  }
  const detail = bars[shown]
  return (
    <div className="bars">
      <div className="bars-frame">
        <div className="bars-levels figure" aria-hidden="true">
          {ticks.map((tick) => (
            <span key={tick} style={{ '--at': 1 - tick / scale }}>
              {most > 0 || tick === 0 ? format(tick) : ''}
            </span>
          ))}
        </div>
        <ol ref={list} className="bars-field" aria-label={label} onKeyDown={press}>
          {ticks.map((tick) => (
            <li key={`level ${tick}`} className="bars-grid" aria-hidden="true" style={{ '--at': 1 - tick / scale }} />
          ))}
          {bars.map((bar, at) => (
            <li key={bar.name} className="bars-place">
              <button
                type="button"
                className="bars-bar"
                data-shown={at === shown || undefined}
                tabIndex={at === shown ? 0 : -1}
                aria-label={`${bar.name}: ${format(bar.value)}${bar.remark === undefined ? '' : `, ${bar.remark}`}`}
                onPointerEnter={() => setChosen(at)}
                onFocus={() => setChosen(at)}
                onClick={() => setChosen(at)}
              >
                <span
                  className="bars-amount"
                  data-partial={bar.remark !== undefined || undefined}
                  style={{ '--size': bar.value / scale }}
                />
              </button>
            </li>
          ))}
        </ol>
        <div className="bars-names figure" aria-hidden="true">
          {bars.map((bar, at) => (
            <span key={bar.name} data-odd={Math.floor((bars.length - 1 - at) / every) % 2 === 1 || undefined}>
              {(bars.length - 1 - at) % every === 0 && <span>{bar.short}</span>}
            </span>
          ))}
        </div>
      </div>
      {detail !== undefined && (
        <p className="bars-detail figure" aria-hidden="true">
          <span>{detail.name}</span>
          <strong>{format(detail.value)}</strong>
          {detail.remark !== undefined && <span className="minor">{detail.remark}</span>}
        </p>
      )}
    </div>
  )
}
