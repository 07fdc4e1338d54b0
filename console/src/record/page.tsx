import { useEffect, useMemo, useState } from 'react'
import { openBudgets } from '../api/budgets.ts'
import { type Act, openKeys, type Page } from '../api/keys.ts'
import type { Problem } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { EmptyState } from '../design/state.tsx'
import { formatRelative, formatTime } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { useKeyNames } from '../shell/key-names.ts'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'
import { detailsText } from './words.ts'
import './record.css'

/** What administrators did, the newest first. */
export default function RecordPage() {
  const { send } = useAccess()
  const api = useMemo(() => openKeys(send), [send])
  const [first, reload] = useLoad('acts', () => api.acts())
  const [more, setMore] = useState<Page<Act>>({ items: [], next: undefined })
  const [problem, setProblem] = useState<Problem>()
  const nameOfKey = useKeyNames()
  const nowMs = useNow()
  const [budgets] = useLoad('budgets', () => openBudgets(send).list())
  const units = new Map(budgets.state === 'ready' ? budgets.value.budgets.map(({ id, unit }) => [id, unit]) : [])
  useEffect(() => {
    document.title = 'Record · Headworks'
  }, [])
  const acts = first.state === 'ready' ? [...first.value.items, ...more.items] : []
  const next = more.items.length > 0 ? more.next : first.state === 'ready' ? first.value.next : undefined
  const loadMore = async () => {
    const page = await api.acts(next)
    if (!page.ok) return setProblem(page.problem)
    setProblem(undefined)
    setMore((before) => ({ items: [...before.items, ...page.value.items], next: page.value.next }))
  }
  return (
    <div className="screen record">
      <header className="screen-head">
        <h1>Record</h1>
        <p className="minor">What administrators did to keys and budgets. Each entry was written before it was done.</p>
      </header>
      {first.state === 'loading' && <Progress label="Loading the record" />}
      {first.state === 'failed' && (
        <Failed title="The record could not be read" problem={first.problem} onRetry={reload} />
      )}
      {first.state === 'ready' && acts.length === 0 && (
        <EmptyState title="Nothing on record yet">
          <p>Keys that are made, rotated or revoked, and budgets that are raised or reset, will stand here.</p>
        </EmptyState>
      )}
      {acts.length > 0 && (
        <ol className="record-list" aria-label="Record">
          {acts.map((act) => (
            <ActItem
              key={act.id}
              act={act}
              object={nameOfKey(act.object)}
              how={detailsText(act.details, units.get(act.object), nowMs)}
              nowMs={nowMs}
            />
          ))}
        </ol>
      )}
      {problem !== undefined && (
        <Failed title="No more could be read" problem={problem} onRetry={() => void loadMore()} />
      )}
      {next !== undefined && (
        <div>
          <Button onClick={() => void loadMore()}>Show earlier</Button>
        </div>
      )}
    </div>
  )
}

interface ItemProps {
  readonly act: Act
  readonly object: string
  readonly how: string
  readonly nowMs: number
}

function ActItem({ act: { atMs, by, action, outcome }, object, how, nowMs }: ItemProps) {
  return (
    <li className="record-row">
      <p className="record-act">
        <strong>{action}</strong> <Name>{object}</Name>
        {outcome !== 'done' && (
          <span data-outcome={outcome}>{outcome === '' ? 'begun, and not known to have ended' : outcome}</span>
        )}
      </p>
      <p className="record-how">{how}</p>
      <p className="record-who">
        <Name>{by}</Name>
        {atMs !== undefined && (
          <time className="figure" dateTime={new Date(atMs).toISOString()}>
            {formatTime(atMs, nowMs)} <span className="minor">{formatRelative(atMs, nowMs)}</span>
          </time>
        )}
      </p>
    </li>
  )
}
