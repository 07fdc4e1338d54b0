import type { Labels, Version } from '../api/prompts.ts'
import type { Percentiles, UsageRow } from '../api/usage.ts'
import { Name } from '../design/name.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatCount, formatMs, formatNanoUsd, formatTime } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useNow } from '../shell/now.ts'
import { addressOf, type Shown } from './address.ts'
import { LabelChips } from './labels.tsx'

interface Props {
  readonly versions: readonly Version[]
  readonly labels: Labels
  readonly used: ReadonlyMap<number, UsageRow>
  readonly shown: Shown
}

/** Versions beside each other: what they say of themselves, and what they cost and take. */
export function VersionTable({ versions, labels, used, shown }: Props) {
  const nowMs = useNow()
  return (
    <Table
      caption="Versions"
      rows={versions}
      keyOf={({ version }) => version}
      columns={columnsFor({ labels, used, shown }, nowMs)}
    />
  )
}

function Spread({ of: { n, p50, p95 }, format }: { of: Percentiles; format: (value: number) => string }) {
  if (p50 === undefined || p95 === undefined) return '–'
  return (
    <span className="prompt-spread">
      <span>
        {format(p50)} / {format(p95)}
      </span>
      <span className="minor">n {formatCount(n)}</span>
    </span>
  )
}

function columnsFor({ labels, used, shown }: Omit<Props, 'versions'>, nowMs: number): readonly Column<Version>[] {
  const spread = (
    name: string,
    of: (row: UsageRow) => Percentiles,
    format: (value: number) => string,
  ): Column<Version> => ({
    name,
    cell: ({ version }) => {
      const row = used.get(version)
      return row === undefined ? '–' : <Spread of={of(row)} format={format} />
    },
    figure: true,
  })
  return [
    {
      name: 'Version',
      cell: ({ version }) => (
        <Link href={addressOf({ ...shown, from: version > 1 ? version - 1 : undefined, to: version })}>
          <strong className="figure">{version}</strong>
        </Link>
      ),
    },
    {
      name: 'Made',
      cell: ({ atMs, by, note }) => (
        <span className="prompt-made">
          <span>{note === '' ? <span className="minor">no note</span> : note}</span>
          <span className="minor">
            {atMs !== undefined && formatTime(atMs, nowMs)} <Name nobody="from a file">{by}</Name>
          </span>
        </span>
      ),
    },
    {
      name: 'Labels',
      cell: ({ version }) => <LabelChips labels={labels.filter(([, one]) => one === version)} isOfOne />,
    },
    { name: 'Requests', cell: ({ version }) => formatCount(used.get(version)?.requests ?? 0), figure: true },
    { name: 'Failed', cell: ({ version }) => formatCount(used.get(version)?.failed ?? 0), figure: true },
    spread('Cost p50 / p95', (row) => row.costPerRequest, formatNanoUsd),
    spread('First token p50 / p95', (row) => row.firstTokenMs, formatMs),
    spread('Total p50 / p95', (row) => row.totalMs, formatMs),
  ]
}
