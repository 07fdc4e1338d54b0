import { useState } from 'react'
import type { Trace } from '../api/traces.ts'
import { Button } from '../design/button.tsx'
import { Name } from '../design/name.tsx'
import { Table, type Column } from '../design/table.tsx'
import { Tier } from '../design/tier.tsx'
import { formatCount, formatMs, formatNanoUsd, formatTime } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useNow } from '../shell/now.ts'

const PAGE = 50

/** Traces, the newest first. */
export function TraceTable({
  traces,
  addressOfTrace,
}: {
  traces: readonly Trace[]
  addressOfTrace: (id: string) => string
}) {
  const [count, setCount] = useState(PAGE)
  const nowMs = useNow()
  return (
    <section className="screen-part" aria-label="The traces">
      <Table
        caption="Traces"
        rows={traces.slice(0, count)}
        keyOf={({ id }) => id}
        columns={columnsFor(addressOfTrace, nowMs)}
      />
      {traces.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE * 4)}>Show more of {formatCount(traces.length)}</Button>
        </div>
      )}
    </section>
  )
}

const columnsFor = (addressOfTrace: (id: string) => string, nowMs: number): readonly Column<Trace>[] => [
  {
    name: 'Trace',
    cell: ({ id, name }) => (
      <Link className="trace-name" href={addressOfTrace(id)}>
        <Name nobody="no name">{name}</Name>
      </Link>
    ),
  },
  { name: 'When', cell: ({ atMs }) => formatTime(atMs, nowMs), figure: true },
  {
    name: 'Status',
    cell: ({ status }) => (status === 'error' ? <Tier tone="danger">error</Tier> : <span className="minor">ok</span>),
  },
  { name: 'Total', cell: ({ durationMs }) => formatMs(durationMs), figure: true },
  {
    name: 'First token',
    cell: ({ firstTokenMs }) => (firstTokenMs === undefined ? '–' : formatMs(firstTokenMs)),
    figure: true,
  },
  {
    name: 'Tokens in / out',
    cell: ({ inputTokens, outputTokens }) => `${formatCount(inputTokens)} / ${formatCount(outputTokens)}`,
    figure: true,
  },
  { name: 'Cost', cell: ({ costNanoUsd }) => formatNanoUsd(costNanoUsd), figure: true },
  { name: 'Spans', cell: ({ spans }) => formatCount(spans), figure: true },
  { name: 'Model', cell: ({ names }) => <Name nobody="–">{names.model}</Name> },
  { name: 'User', cell: ({ names }) => <Name nobody="–">{names.user}</Name> },
  { name: 'Service', cell: ({ names }) => <Name nobody="–">{names.service}</Name> },
]
