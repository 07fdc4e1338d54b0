import { useEffect, useMemo, useState } from 'react'
import { type Budget, type BudgetsApi, openBudgets, type Override } from '../api/budgets.ts'
import { CopyText } from '../design/copy.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Search } from '../design/search.tsx'
import { EmptyState } from '../design/state.tsx'
import { Button } from '../design/button.tsx'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { useKeyNames } from '../shell/key-names.ts'
import { useLoad } from '../shell/load.ts'
import { usePlace, useRouter } from '../shell/route.ts'
import { BudgetRow } from './row.tsx'
import { BudgetSheet } from './sheet.tsx'
import { Overrides } from './overrides.tsx'
import { whomText } from './words.ts'
import './budgets.css'

const PAGE = 40

export default function BudgetsPage() {
  const { send } = useAccess()
  const api = useMemo(() => openBudgets(send), [send])
  const [found, reload] = useLoad('budgets', () => api.list())
  useEffect(() => {
    document.title = 'Budgets · Headworks'
  }, [])
  if (found.state === 'ready')
    return <Loaded api={api} budgets={found.value.budgets} overrides={found.value.overrides} onChange={reload} />
  return (
    <div className="screen">
      <h1 className="unseen">Budgets</h1>
      {found.state === 'loading' && <Progress label="Loading the budgets" />}
      {found.state === 'failed' && (
        <Failed title="The budgets could not be listed" problem={found.problem} onRetry={reload} />
      )}
    </div>
  )
}

interface LoadedProps {
  readonly api: BudgetsApi
  readonly budgets: readonly Budget[]
  readonly overrides: readonly Override[]
  readonly onChange: () => void
}

function Loaded({ api, budgets, overrides, onChange }: LoadedProps) {
  const place = usePlace()
  const router = useRouter()
  const nameOfKey = useKeyNames()
  const [wanted, setWanted] = useState('')
  /** Grows when somebody did something: what is shown is then asked anew. */
  const [turn, setTurn] = useState(0)
  const changed = () => {
    setTurn((before) => before + 1)
    onChange()
  }
  const fits = budgets.filter((one) =>
    `${one.id} ${whomText(one, nameOfKey)}`.toLowerCase().includes(wanted.toLowerCase()),
  )
  const opened = budgets.find(({ id }) => id === place.query.get('budget'))
  return (
    <div className="screen budgets">
      <header className="screen-head">
        <h1>Budgets</h1>
        {budgets.length > 5 && <Search label="Find a budget" value={wanted} onChange={setWanted} />}
      </header>
      {budgets.length === 0 && <NoBudgets />}
      {budgets.length > 0 && fits.length === 0 && <p className="minor">No budget has “{wanted}” in its name.</p>}
      <Lists api={api} budgets={fits} overrides={overrides} turn={turn} nameOfKey={nameOfKey} />
      {overrides.length > 0 && (
        <section className="screen-part" aria-label="Raised for a while">
          <h2 className="label">
            Raised for a while <span className="figure">{overrides.length}</span>
          </h2>
          <Overrides api={api} overrides={overrides} budgets={budgets} nameOfKey={nameOfKey} onChange={changed} />
        </section>
      )}
      {opened !== undefined && (
        <BudgetSheet
          key={opened.id}
          api={api}
          budget={opened}
          overrides={overrides.filter(({ budget }) => budget === opened.id)}
          subject={place.query.get('subject') ?? undefined}
          nameOf={(subject) => nameOfSubject(opened, subject, nameOfKey)}
          nameOfKey={nameOfKey}
          onSubject={(subject) =>
            router.go(`/budgets?${new URLSearchParams({ budget: opened.id, subject }).toString()}`, place.note)
          }
          onChange={changed}
          onClose={() => router.go('/budgets')}
        />
      )}
    </div>
  )
}

const GROUPS = [
  { title: 'Budgets', kind: 'budget' },
  { title: 'Rate limits', kind: 'rate_limit' },
] as const

interface ListsProps extends Omit<LoadedProps, 'onChange'> {
  readonly turn: number
  readonly nameOfKey: (id: string) => string
}

/** Some at a time: each row asks how its budget stands. */
function Lists({ api, budgets, overrides, turn, nameOfKey }: ListsProps) {
  const [count, setCount] = useState(PAGE)
  const ordered = GROUPS.flatMap(({ kind }) => budgets.filter((one) => one.kind === kind))
  const shown = ordered.slice(0, count)
  return (
    <>
      {GROUPS.map(({ title, kind }) => {
        const rows = shown.filter((one) => one.kind === kind)
        if (rows.length === 0) return null
        return (
          <section key={kind} className="screen-part" aria-label={title}>
            <h2 className="label">
              {title} <span className="figure">{budgets.filter((one) => one.kind === kind).length}</span>
            </h2>
            <ul className="budget-list">
              {rows.map((budget) => (
                <BudgetRow
                  key={budget.id}
                  api={api}
                  budget={budget}
                  turn={turn}
                  isRaised={overrides.some((one) => one.budget === budget.id && one.inForce)}
                  whom={whomText(budget, nameOfKey)}
                  nameOf={(subject) => nameOfSubject(budget, subject, nameOfKey)}
                />
              ))}
            </ul>
          </section>
        )
      })}
      {ordered.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE)}>Show more of {ordered.length}</Button>
        </div>
      )}
    </>
  )
}

const nameOfSubject = ({ scope }: Budget, subject: string, nameOfKey: (id: string) => string): string =>
  scope === 'key' ? nameOfKey(subject) : subject

const EXAMPLE = `budgets:
  - { scope: user, limit: { usd: 50 }, window: month, timeZone: Europe/Berlin }
rateLimits:
  - { scope: key, limit: { requests: 600, concurrent: 20 } }
`

function NoBudgets() {
  return (
    <EmptyState title="No budgets yet">
      <p>
        Whoever has a key may use as much as the engines give. Write limits into <code>headworks.yaml</code>; they hold
        from the moment the file is saved:
      </p>
      <div className="budget-example">
        <pre>
          <code>{EXAMPLE}</code>
        </pre>
        <CopyText text={EXAMPLE} what="the example" />
      </div>
      <p>Each user then has $50 a month, and each key 600 requests a minute and 20 at a time.</p>
    </EmptyState>
  )
}
