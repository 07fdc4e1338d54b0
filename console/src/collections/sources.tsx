import type { CollectionsApi, Source } from '../api/collections.ts'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Table, type Column } from '../design/table.tsx'
import { Tier } from '../design/tier.tsx'
import { formatCount, formatTime } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { toneOfTrust } from './words.ts'

const COLUMNS: readonly Column<Source>[] = [
  { name: 'Kind', cell: ({ kind }) => kind },
  { name: 'Where', cell: ({ name }) => <Name>{name}</Name> },
  {
    name: 'Trust',
    cell: ({ trust }) => <Tier tone={toneOfTrust(trust)}>{trust}</Tier>,
  },
  {
    name: 'Read again',
    cell: ({ schedule }) => (schedule === null ? 'when asked' : <Due {...schedule} />),
  },
]

function Due({ nextAt, failures, running }: NonNullable<Source['schedule']>) {
  const nowMs = useNow()
  if (running) return <>now</>
  return (
    <>
      <time className="figure" dateTime={nextAt}>
        {formatTime(Date.parse(nextAt), nowMs)}
      </time>
      {failures > 0 && ` after ${formatCount(failures)} ${failures === 1 ? 'failure' : 'failures'}`}
    </>
  )
}

/** Where its documents come from, as the configuration says, and how far they may be believed. */
export function Sources({ api, name }: { api: CollectionsApi; name: string }) {
  const [found, reload] = useLoad(name, () => api.sources(name))
  return (
    <section className="screen-part" aria-label="Sources">
      <h2 className="label">
        Sources {found.state === 'ready' && <span className="figure">{formatCount(found.value.length)}</span>}
      </h2>
      {found.state === 'loading' && <Progress label="Loading the sources" />}
      {found.state === 'failed' && (
        <Failed title="The sources could not be listed" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.length === 0 && (
        <p className="minor">
          The configuration names none: what it holds was sent, or read once. Name sources under{' '}
          <code>collections.{name}.sources</code>.
        </p>
      )}
      {found.state === 'ready' && found.value.length > 0 && (
        <div className="panel">
          <Table caption="Configured sources" columns={COLUMNS} rows={found.value} keyOf={(_, at) => at} />
        </div>
      )}
    </section>
  )
}
