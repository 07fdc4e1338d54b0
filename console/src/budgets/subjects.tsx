import { useDeferredValue, useState } from 'react'
import type { Budget, BudgetsApi } from '../api/budgets.ts'
import { Button } from '../design/button.tsx'
import { Progress } from '../design/progress.tsx'
import { Search } from '../design/search.tsx'
import { formatCount } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { Standing } from './row.tsx'

/** The most the server gives at a time; who is not among them is found by name. */
const ASKED = 1000
const PAGE = 50

interface Props {
  readonly api: BudgetsApi
  readonly budget: Budget
  readonly turn: number
  readonly chosen: string | undefined
  readonly nameOf: (subject: string) => string
  readonly onChoose: (subject: string) => void
}

/** All whom a budget is for and who have used some of it, the most used first. */
export function Subjects({ api, budget, turn, chosen, nameOf, onChoose }: Props) {
  const [typed, setTyped] = useState('')
  const [count, setCount] = useState(PAGE)
  const wanted = useDeferredValue(typed.trim())
  const [found, reload] = useLoad(`all ${turn}`, () => api.accounts(budget.id, ASKED))
  const all = found.state === 'ready' ? found.value.accounts : []
  const fits = all.filter(({ subject }) =>
    `${subject}\n${nameOf(subject)}`.toLowerCase().includes(wanted.toLowerCase()),
  )
  const isPartial = found.state === 'ready' && !found.value.isComplete
  return (
    <section className="screen-part" aria-label={`Every ${budget.scope}`}>
      <header className="screen-part-head">
        <h3 className="label">
          Every {budget.scope}{' '}
          <span className="figure">{isPartial ? `first ${formatCount(all.length)}` : formatCount(all.length)}</span>
        </h3>
        <Search label={`Find a ${budget.scope}`} value={typed} onChange={setTyped} />
      </header>
      {found.state === 'loading' && <Progress label="Loading the accounts" />}
      {found.state === 'failed' && (
        <Failed title="The accounts could not be read" problem={found.problem} onRetry={reload} />
      )}
      {found.state === 'ready' && fits.length === 0 && wanted === '' && (
        <p className="minor">Nobody has used any of it in this window.</p>
      )}
      <ul className="subject-list">
        {fits.slice(0, count).map((account) => (
          <li key={account.subject}>
            <button
              type="button"
              className="subject"
              aria-current={account.subject === chosen || undefined}
              onClick={() => onChoose(account.subject)}
            >
              <Standing budget={budget} account={account} name={nameOf(account.subject)} />
            </button>
          </li>
        ))}
      </ul>
      {fits.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE)}>Show more of {formatCount(fits.length)}</Button>
        </div>
      )}
      {wanted !== '' && !all.some(({ subject }) => subject === wanted) && (
        <p className="subject-other">
          <span className="minor">{fits.length === 0 ? 'Nobody of that name among those shown.' : ''}</span>
          <Button kind="quiet" onClick={() => onChoose(wanted)}>
            Open the account of exactly “{wanted}”
          </Button>
        </p>
      )}
    </section>
  )
}
