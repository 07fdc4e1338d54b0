import type { Account, Budget, BudgetsApi } from '../api/budgets.ts'
import { formatAmount, formatFigure } from '../design/amount.ts'
import { Meter } from '../design/meter.tsx'
import { Name } from '../design/name.tsx'
import { formatShare } from '../design/units.ts'
import { Link } from '../shell/link.tsx'
import { useLoad } from '../shell/load.ts'
import { actionText, addsUp, usedText, windowText, zoneOf } from './words.ts'

interface Props {
  readonly api: BudgetsApi
  readonly budget: Budget
  /** Another one: ask anew how it stands. */
  readonly turn: number
  readonly isRaised: boolean
  /** Whom it is for, in words. */
  readonly whom: string
  readonly nameOf: (subject: string) => string
}

/** A budget, and how it stands for whoever has used most of it. All of the row leads to its sheet. */
export function BudgetRow({ api, budget, turn, isRaised, whom, nameOf }: Props) {
  const zone = zoneOf(budget.window)
  return (
    <li className="budget-row">
      <div className="budget-what">
        <Link className="budget-link" href={`/budgets?${new URLSearchParams({ budget: budget.id })}`}>
          <Name>{budget.id}</Name>
        </Link>
        <Name>{whom}</Name>
      </div>
      <div className="budget-limit">
        <span className="figure">
          <strong>{formatAmount(budget.unit, budget.limit)}</strong> {windowText(budget.window, budget.unit)}
        </span>
        <span className="minor">
          {zone !== undefined && `${zone} · `}
          then {actionText(budget)}
          {isRaised && ' · raised for some'}
        </span>
      </div>
      <MostUsed api={api} budget={budget} turn={turn} nameOf={nameOf} />
    </li>
  )
}

function MostUsed({ api, budget, turn, nameOf }: Omit<Props, 'isRaised' | 'whom'>) {
  const isCounted = addsUp(budget)
  const [found] = useLoad(`${budget.id} ${turn}`, () =>
    isCounted
      ? api.accounts(budget.id, 1)
      : Promise.resolve({ ok: true as const, value: { accounts: [], isComplete: true } }),
  )
  if (!isCounted) return <p className="budget-used minor">Checked in each request by itself.</p>
  if (found.state === 'failed') return <p className="budget-used minor">{found.problem.message}</p>
  if (found.state === 'loading') return <p className="budget-used minor">…</p>
  const [account] = found.value.accounts
  if (account === undefined) return <p className="budget-used minor">Nothing used in this window.</p>
  return (
    <div className="budget-used">
      <Standing budget={budget} account={account} name={nameOf(account.subject)} />
    </div>
  )
}

/** Who has used how much: a meter between two lines. */
export function Standing({ budget, account, name }: { budget: Budget; account: Account; name: string }) {
  const { unit } = budget
  const share = (account.posted + account.leased) / Math.max(1, account.limit)
  return (
    <>
      <p className="standing-head">
        <Name nobody="all together">{name}</Name>
        <span className="figure">{formatShare(share)}</span>
      </p>
      <Meter
        label={name === '' ? budget.id : `${budget.id}, ${name}`}
        text={usedText(unit, account)}
        posted={account.posted}
        leased={account.leased}
        limit={account.limit}
        warnAt={budget.warnAt[0]}
      />
      <p className="standing-foot figure">
        <span className="standing-part" data-part="posted">
          {formatFigure(unit, account.posted)} posted
        </span>
        {account.leased > 0 && (
          <span className="standing-part" data-part="leased">
            {formatFigure(unit, account.leased)} put aside
          </span>
        )}
        <span className="standing-limit">of {formatFigure(unit, account.limit)}</span>
      </p>
    </>
  )
}
