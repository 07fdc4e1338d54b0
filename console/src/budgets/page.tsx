import { useEffect, useMemo, useState } from 'react'
import { type Budget, openBudgets, type Override } from '../api/budgets.ts'
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

/** Rows shown at a time: each asks how it stands. */
const PAGE = 40

export default function BudgetsPage() {
  const { send } = useAccess()
  const api = useMemo(() => openBudgets(send), [send])
  const place = usePlace()
  const router = useRouter()
  const [found, reload] = useLoad('budgets', () => api.list())
  const nameOfKey = useKeyNames()
  const [wanted, setWanted] = useState('')
  const [count, setCount] = useState(PAGE)
  /** Grows when somebody did something: what is shown is then asked anew. */
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    document.title = 'Budgets · Headworks'
  }, [])
  const openId = place.query.get('budget')
  const changed = () => {
    setTurn((before) => before + 1)
    reload()
  }
  if (found.state === 'loading')
    return (
      <div className="screen">
        <h1 className="unseen">Budgets</h1>
        <Progress label="Loading the budgets" />
      </div>
    )
  if (found.state === 'failed')
    return (
      <div className="screen">
        <h1 className="unseen">Budgets</h1>
        <Failed title="The budgets could not be listed" problem={found.problem} onRetry={reload} />
      </div>
    )
  const { budgets, overrides } = found.value
  const fits = budgets.filter((one) => `${one.id} ${whomText(one)}`.toLowerCase().includes(wanted.toLowerCase()))
  const opened = budgets.find(({ id }) => id === openId)
  const groups = [
    { title: 'Budgets', of: 'budget', rows: fits.filter(({ kind }) => kind === 'budget') },
    { title: 'Rate limits', of: 'rate_limit', rows: fits.filter(({ kind }) => kind === 'rate_limit') },
  ]
  let left = count
  return (
    <div className="screen budgets">
      <header className="screen-head">
        <h1>Budgets</h1>
        {budgets.length > 5 && <Search label="Find a budget" value={wanted} onChange={setWanted} />}
      </header>
      {budgets.length === 0 && <NoBudgets />}
      {budgets.length > 0 && fits.length === 0 && <p className="minor">No budget has “{wanted}” in its name.</p>}
      {groups.map(({ title, of, rows }) => {
        const shown = rows.slice(0, left)
        left -= shown.length
        return (
          shown.length > 0 && (
            <section key={of} className="screen-part" aria-label={title}>
              <h2 className="label">
                {title} <span className="figure">{rows.length}</span>
              </h2>
              <ul className="budget-list">
                {shown.map((budget) => (
                  <BudgetRow
                    key={budget.id}
                    api={api}
                    budget={budget}
                    turn={turn}
                    isRaised={overrides.some((one) => one.budget === budget.id && one.inForce)}
                    nameOf={(subject) => nameOfSubject(budget, subject, nameOfKey)}
                  />
                ))}
              </ul>
            </section>
          )
        )
      })}
      {fits.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE)}>Show more of {fits.length}</Button>
        </div>
      )}
      {overrides.length > 0 && (
        <OverridePart api={api} overrides={overrides} budgets={budgets} nameOfKey={nameOfKey} onChange={changed} />
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
            router.go(`/budgets?${new URLSearchParams({ budget: opened.id, subject })}`, place.note)
          }
          onChange={changed}
          onClose={() => router.go('/budgets')}
        />
      )}
    </div>
  )
}

function OverridePart(props: {
  readonly api: ReturnType<typeof openBudgets>
  readonly overrides: readonly Override[]
  readonly budgets: readonly Budget[]
  readonly nameOfKey: (id: string) => string
  readonly onChange: () => void
}) {
  return (
    <section className="screen-part" aria-label="Raised for a while">
      <h2 className="label">
        Raised for a while <span className="figure">{props.overrides.length}</span>
      </h2>
      <Overrides {...props} />
    </section>
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
