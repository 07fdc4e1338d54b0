import './meter.css'

interface Props {
  readonly label: string
  /** The same in words, for whoever does not look. */
  readonly text: string
  /** Used for good: solid. */
  readonly posted: number
  /** Put aside, of which some will come back: hatched. */
  readonly leased: number
  readonly limit: number
  /** From here on it is worth a look, as a share of the limit. */
  readonly warnAt?: number | undefined
  /** `good`: the fuller the better, and no limit at all. */
  readonly sense?: 'good' | undefined
}

/** How much of a limit is used. Its end is the limit; where more was used, a line marks the limit. */
export function Meter({ label, text, posted, leased, limit, warnAt = 0.8, sense }: Props) {
  const used = posted + leased
  const scale = Math.max(limit, used, 1)
  const share = used / Math.max(limit, 1)
  return (
    <div
      className="meter"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.max(limit, 1)}
      aria-valuenow={Math.min(used, Math.max(limit, 1))}
      aria-valuetext={text}
      data-tone={sense === 'good' ? goodTone(share) : share >= 1 ? 'danger' : share >= warnAt ? 'caution' : undefined}
    >
      <span className="meter-posted" style={{ '--size': posted / scale }} />
      <span className="meter-leased" style={{ '--size': leased / scale }} />
      {used > limit && <span className="meter-limit" style={{ '--at': limit / scale }} />}
    </div>
  )
}

const goodTone = (share: number): 'good' | 'danger' => (share >= 1 ? 'good' : 'danger')
