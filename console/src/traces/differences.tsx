import type { Trace } from '../api/traces.ts'
import { Name } from '../design/name.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatCount, formatShare } from '../design/units.ts'
import { differencesOf, isSure, type Difference, type Share } from './differences.ts'

const SHOWN_MAX = 8

const KINDS: readonly { readonly what: string; readonly of: (trace: Trace) => string }[] = [
  { what: 'status', of: ({ status }) => status },
  { what: 'model', of: ({ names }) => names.model },
  { what: 'user', of: ({ names }) => names.user },
  { what: 'prompt', of: ({ names }) => names.prompt },
  { what: 'workflow', of: ({ names }) => names.workflow },
  { what: 'service', of: ({ names }) => names.service },
]

/** What differs about the traces inside a brush against those outside. */
export function Differences({ inside, outside }: { inside: readonly Trace[]; outside: readonly Trace[] }) {
  const all = differencesOf(inside, outside, KINDS)
  const sure = all.filter(isSure)
  const shown = (sure.length > 0 ? sure : all).slice(0, SHOWN_MAX)
  return (
    <section className="screen-part" aria-label="What differs about these">
      <h2 className="label">What differs about these?</h2>
      <p className="minor">
        {shown.length === 0
          ? 'Nothing: there are none inside, or none outside to compare with.'
          : sure.length === 0
            ? 'Nothing that is sure: every interval holds zero. The largest differences:'
            : `${formatCount(inside.length)} inside against ${formatCount(outside.length)} outside. Intervals are of 95 %, each by itself.`}
      </p>
      {shown.length > 0 && (
        <Table caption="What differs" rows={shown} keyOf={({ what, value }) => `${what} ${value}`} columns={COLUMNS} />
      )}
    </section>
  )
}

const shareText = ({ count, n }: Share): string =>
  `${formatShare(count / n)} (${formatCount(count)} of ${formatCount(n)})`

const differenceText = ({ mean, low, high }: Difference): string =>
  `${points(mean)} (${points(low)} to ${points(high)})`

/** Percentage points, with their sign. */
const points = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(share * 100).toFixed(1)}`

const COLUMNS: readonly Column<Difference>[] = [
  { name: 'What', cell: ({ what }) => what },
  { name: 'Is', cell: ({ value }) => <Name nobody="none">{value}</Name> },
  { name: 'Inside', cell: ({ inside: share }) => shareText(share), figure: true },
  { name: 'Outside', cell: ({ outside: share }) => shareText(share), figure: true },
  { name: 'Difference, points', cell: differenceText, figure: true },
]
