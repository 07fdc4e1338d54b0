import './interval.css'
import { placeOn } from './interval.ts'

const END_CLEAR = 0.92

interface Props {
  readonly label: string
  /** The same in words, for whoever does not look. */
  readonly text: string
  readonly mean: number
  readonly low: number
  readonly high: number
  readonly target?: number | undefined
  readonly tone?: 'good' | 'danger' | undefined
  /** Where the scale begins: the same for all that stand together. */
  readonly from: number
}

/** An estimated share: a tick in its interval, on a scale that ends at 1, the target a line across. */
export function Interval({ label, text, mean, low, high, target, tone, from }: Props) {
  return (
    <div className="interval">
      <div
        className="interval-track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={1}
        aria-valuenow={mean}
        aria-valuetext={text}
        data-tone={tone}
      >
        <span
          className="interval-range"
          style={{ '--from': placeOn(from, low), '--size': placeOn(from, high) - placeOn(from, low) }}
        />
        <span className="interval-mean" style={{ '--at': placeOn(from, mean) }} />
        {target !== undefined && <span className="interval-target" style={{ '--at': placeOn(from, target) }} />}
      </div>
      <div className="interval-scale figure" aria-hidden="true">
        <span>{from}</span>
        {target !== undefined && (
          <span className="interval-mark" style={{ '--at': placeOn(from, target) }}>
            {target}
          </span>
        )}
        {/* Where the target stands close to it there is no room. */}
        <span>{target === undefined || placeOn(from, target) < END_CLEAR ? 1 : ''}</span>
      </div>
    </div>
  )
}
