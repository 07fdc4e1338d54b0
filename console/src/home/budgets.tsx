import { type Account, type Budget, openBudgets } from '../api/budgets.ts'
import type { Result } from '../api/problem.ts'
import '../budgets/budgets.css'
import { Standing } from '../budgets/row.tsx'
import { addsUp } from '../budgets/words.ts'
import type { Fetch } from '../api/chat.ts'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { formatCount } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { useKeyNames } from '../shell/key-names.ts'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'

const SHOWN_MAX = 5
/** Each is asked how it stands. */
const ASKED_MAX = 40

interface Used {
  readonly budget: Budget
  readonly account: Account
}

/** The budgets that are used most. */
export function HomeBudgets() {
  const { send } = useAccess()
  const nameOfKey = useKeyNames()
  const [found, reload] = useLoad('most used', () => mostUsed(send))
  return (
    <section className="screen-part" aria-label="Budgets">
      <header className="screen-part-head">
        <h2 className="label">Budgets used most</h2>
        <Link href="/budgets">All budgets</Link>
      </header>
      {found.state === 'loading' && <Progress label="Loading the budgets" />}
      {found.state === 'failed' && (
        <Failed title="The budgets could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && found.value.used.length === 0 && (
        <p className="minor">
          {found.value.declared === 0 ? 'No budget is set.' : 'Nothing is used of any budget in its window.'}
        </p>
      )}
      {found.state === 'ready' && found.value.used.length > 0 && (
        <ul className="row-list">
          {found.value.used.map(({ budget, account }) => (
            <li key={budget.id} className="home-row">
              <Link href={`/budgets?${new URLSearchParams({ budget: budget.id, subject: account.subject })}`}>
                <Name>{budget.id}</Name>
              </Link>
              <Standing
                budget={budget}
                account={account}
                name={budget.scope === 'key' ? nameOfKey(account.subject) : account.subject}
              />
            </li>
          ))}
        </ul>
      )}
      {found.state === 'ready' && found.value.declared > ASKED_MAX && (
        <p className="minor">Of the first {formatCount(ASKED_MAX)} budgets.</p>
      )}
    </section>
  )
}

async function mostUsed(send: Fetch): Promise<Result<{ readonly used: readonly Used[]; readonly declared: number }>> {
  const api = openBudgets(send)
  const all = await api.list()
  if (!all.ok) return all
  const { budgets } = all.value
  const asked = budgets.filter(({ kind, ...one }) => kind === 'budget' && addsUp(one)).slice(0, ASKED_MAX)
  const standings = await Promise.all(asked.map((budget) => api.accounts(budget.id, 1)))
  const failed = standings.find((standing) => !standing.ok)
  if (failed !== undefined && !failed.ok) return failed
  const used = asked.flatMap((budget, at): Used[] => {
    const standing = standings[at]
    const account = standing?.ok === true ? standing.value.accounts[0] : undefined
    return account === undefined ? [] : [{ budget, account }]
  })
  return {
    ok: true,
    value: { used: used.toSorted((a, b) => shareOf(b) - shareOf(a)).slice(0, SHOWN_MAX), declared: budgets.length },
  }
}

const shareOf = ({ account: { posted, leased, limit } }: Used): number => (posted + leased) / Math.max(1, limit)
