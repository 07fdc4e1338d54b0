import { useState } from 'react'
import type { Dimension, Percentiles, UsageRow } from '../api/usage.ts'
import { Button } from '../design/button.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatCount, formatMs, formatNanoUsd } from '../design/units.ts'
import type { Measure } from './address.ts'
import { BUCKET_NAMES, bucketsOf, costText, valueOf } from './words.ts'

const PAGE = 25

interface Props {
  readonly level: Dimension
  readonly measure: Measure
  readonly rows: readonly UsageRow[]
  readonly nameOf: (name: string) => string
  /** Absent at the last level. */
  readonly onOpen: ((name: string) => void) | undefined
}

const PERCENTILES: {
  readonly [Name in Measure]: {
    readonly name: string
    readonly of: (row: UsageRow) => Percentiles
    readonly format: (value: number) => string
  }
} = {
  cost: { name: 'cost', of: (row) => row.costPerRequest, format: formatNanoUsd },
  tokens: { name: 'tokens', of: (row) => row.tokensPerRequest, format: (value) => formatCount(Math.round(value)) },
  requests: { name: 'time', of: (row) => row.totalMs, format: formatMs },
}

/** The parts in figures, the largest first: percentiles are of what is measured, of a request. */
export function UsageTable({ level, measure, rows, nameOf, onOpen }: Props) {
  const [count, setCount] = useState(PAGE)
  const sorted = rows.toSorted((a, b) => valueOf(b, measure) - valueOf(a, measure) || b.requests - a.requests)
  return (
    <>
      <Table
        caption={`Usage by ${level}`}
        columns={columnsFor({ level, measure, rows, nameOf, onOpen })}
        rows={sorted.slice(0, count)}
        keyOf={(row) => row.at[level] ?? ''}
      />
      {sorted.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE * 4)}>Show more of {formatCount(sorted.length)}</Button>
        </div>
      )}
    </>
  )
}

function columnsFor({ level, measure, rows, nameOf, onOpen }: Props): readonly Column<UsageRow>[] {
  const { name, of, format } = PERCENTILES[measure]
  const percentile = (quantile: 'p50' | 'p95' | 'p99'): Column<UsageRow> => ({
    name: `${quantile} ${name}`,
    cell: (row) => {
      const value = of(row)[quantile]
      return value === undefined ? '–' : format(value)
    },
    figure: true,
  })
  return [
    {
      name: level,
      cell: (row) => (
        <PartName text={nameOf(row.at[level] ?? '')} onOpen={onOpen && (() => onOpen(row.at[level] ?? ''))} />
      ),
    },
    { name: 'Requests', cell: (row) => formatCount(row.requests), figure: true },
    ...bucketsOf(rows).map((bucket) => ({
      name: BUCKET_NAMES[bucket],
      cell: (row: UsageRow) => formatCount(row.tokens[bucket]),
      figure: true,
    })),
    { name: 'Cost', cell: costText, figure: true },
    percentile('p50'),
    percentile('p95'),
    percentile('p99'),
    { name: 'Failed', cell: (row) => formatCount(row.failed), figure: true },
    { name: 'Refused', cell: (row) => formatCount(row.refused), figure: true },
  ]
}

function PartName({ text, onOpen }: { text: string; onOpen: (() => void) | undefined }) {
  if (onOpen === undefined) return <bdi className="usage-name">{text}</bdi>
  return (
    <button type="button" className="usage-name" onClick={onOpen}>
      <bdi>{text}</bdi>
    </button>
  )
}
