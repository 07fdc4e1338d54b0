import { useEffect, useMemo, useState } from 'react'
import { type IngestsApi, openIngests, type Run } from '../api/ingests.ts'
import { Button } from '../design/button.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Command, EmptyState } from '../design/state.tsx'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { RunRow } from './row.tsx'
import { RunSheet } from './sheet.tsx'
import { StartForm } from './start.tsx'
import { isOver } from './words.ts'
import './ingests.css'

/** How often runs are looked at while one goes on, and while none does. */
const POLL_MS = 1000
const IDLE_POLL_MS = 10_000

export default function IngestsPage() {
  const { send } = useAccess()
  const api = useMemo(() => openIngests(send), [send])
  const [found, reload] = useLoad('ingests', () => api.list())
  useEffect(() => {
    document.title = 'Ingests · Headworks'
  }, [])
  const isLive = found.state === 'ready' && found.value.some((run) => !isOver(run))
  useEffect(() => {
    const timer = setInterval(reload, isLive ? POLL_MS : IDLE_POLL_MS)
    return () => clearInterval(timer)
  }, [isLive, reload])
  if (found.state === 'ready') return <Loaded api={api} runs={found.value} onChange={reload} />
  return (
    <div className="screen">
      <h1 className="unseen">Ingests</h1>
      {found.state === 'loading' && <Progress label="Loading the runs" />}
      {found.state === 'failed' && (
        <Failed title="The runs could not be listed" problem={found.problem} onRetry={reload} />
      )}
    </div>
  )
}

interface LoadedProps {
  readonly api: IngestsApi
  readonly runs: readonly Run[]
  readonly onChange: () => void
}

function Loaded({ api, runs, onChange }: LoadedProps) {
  const { query } = usePlace()
  const router = useRouter()
  const [isStarting, setStarting] = useState(false)
  const collection = query.get('collection') ?? undefined
  const shown = runs.filter((run) => collection === undefined || run.collection === collection)
  const opened = runs.find(({ id }) => id === query.get('run'))
  const home = collection === undefined ? '/ingests' : `/ingests?${new URLSearchParams({ collection })}`
  return (
    <div className="screen">
      <header className="screen-head">
        <h1>Ingests</h1>
        {collection !== undefined && (
          <span className="ingests-of">
            of <bdi>{collection}</bdi> <Link href="/ingests">show all</Link>
          </span>
        )}
        <Button kind="primary" icon="plus" onClick={() => setStarting(true)}>
          Start a run…
        </Button>
      </header>
      {shown.length === 0 && <NoRuns collection={collection} />}
      {shown.length > 0 && (
        <ul className="row-list" aria-label="Runs">
          {shown.map((run) => (
            <RunRow key={run.id} run={run} collection={collection} />
          ))}
        </ul>
      )}
      {isStarting && (
        <StartForm
          api={api}
          collection={collection}
          onDone={() => {
            setStarting(false)
            onChange()
          }}
          onClose={() => setStarting(false)}
        />
      )}
      {opened !== undefined && <RunSheet run={opened} onClose={() => router.go(home)} />}
    </div>
  )
}

function NoRuns({ collection }: { collection: string | undefined }) {
  return (
    <EmptyState title={collection === undefined ? 'No runs yet' : `No runs into ${collection}`}>
      <p>A run reads documents into a collection. Start one here, or on the machine itself:</p>
      <Command>{`npx headworks ingest ${collection ?? 'handbook'} ./docs`}</Command>
    </EmptyState>
  )
}
