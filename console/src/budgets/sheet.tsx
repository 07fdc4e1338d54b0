import { useRef, useState } from 'react'
import type { Account, Budget, BudgetsApi, BurnDown, Override } from '../api/budgets.ts'
import { formatAmount, formatFigure } from '../design/amount.ts'
import { Button } from '../design/button.tsx'
import { Meter } from '../design/meter.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Sheet } from '../design/sheet.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatRelative, formatTime } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { BurnDownChart } from './chart.tsx'
import { RaiseForm, ResetForm } from './forms.tsx'
import { Overrides } from './overrides.tsx'
import { Subjects } from './subjects.tsx'
import { actionText, addsUp, paceText, usedText, whomText, windowText, zoneOf } from './words.ts'

interface Props {
  readonly api: BudgetsApi
  readonly budget: Budget
  readonly overrides: readonly Override[]
  /** Whose account is shown; undefined: of whoever has used most. */
  readonly subject: string | undefined
  readonly nameOf: (subject: string) => string
  readonly nameOfKey: (id: string) => string
  readonly onSubject: (subject: string) => void
  readonly onChange: () => void
  readonly onClose: () => void
}

/** Everything about one budget: how it stands for one subject and where that leads, for all of them,
 *  and what can be done about it. */
export function BudgetSheet(props: Props) {
  const { api, budget, overrides, nameOf, nameOfKey, onSubject, onChange, onClose } = props
  const [turn, setTurn] = useState(0)
  const inner = useRef<HTMLDivElement>(null)
  const isEach = budget.match === '*'
  const [top, retry] = useLoad(`top ${turn}`, () => api.accounts(budget.id, 1))
  const first = top.state === 'ready' ? top.value.accounts[0] : undefined
  const subject = isEach ? (props.subject ?? first?.subject) : (budget.match ?? '')
  const changed = () => {
    setTurn((before) => before + 1)
    onChange()
  }
  const zone = zoneOf(budget.window)
  return (
    <Sheet
      title={budget.id}
      about={
        <p className="sheet-about">
          <Name>{whomText(budget, nameOfKey)}</Name>: {formatAmount(budget.unit, budget.limit)}{' '}
          {windowText(budget.window, budget.unit)}
          {zone !== undefined && ` (${zone})`}; beyond it: {actionText(budget)}
        </p>
      }
      onClose={onClose}
    >
      <div className="budget-sheet" ref={inner}>
        {!addsUp(budget) && <p className="minor">It is checked in each request by itself: nothing adds up.</p>}
        {addsUp(budget) && top.state === 'loading' && <Progress label="Loading the accounts" />}
        {top.state === 'failed' && (
          <Failed title="The accounts could not be read" problem={top.problem} onRetry={retry} />
        )}
        {addsUp(budget) && top.state === 'ready' && subject === undefined && (
          <p className="minor">Nobody has used any of it in this window.</p>
        )}
        {addsUp(budget) && subject !== undefined && (
          <One
            key={subject}
            api={api}
            budget={budget}
            subject={subject}
            name={nameOf(subject)}
            endsMs={first?.endsMs}
            turn={turn}
            onChange={changed}
          />
        )}
        {overrides.length > 0 && (
          <section className="screen-part" aria-label="Raised for a while">
            <h3 className="label">Raised for a while</h3>
            <Overrides api={api} overrides={overrides} budgets={[budget]} nameOfKey={nameOfKey} onChange={changed} />
          </section>
        )}
        {isEach && addsUp(budget) && (
          <Subjects api={api} budget={budget} turn={turn} chosen={subject} nameOf={nameOf} onChoose={onSubject} />
        )}
      </div>
    </Sheet>
  )
}

interface OneProps {
  readonly api: BudgetsApi
  readonly budget: Budget
  readonly subject: string
  readonly name: string
  /** Of the period, which is the same for all. */
  readonly endsMs: number | undefined
  readonly turn: number
  readonly onChange: () => void
}

function One({ api, budget, subject, name, endsMs, turn, onChange }: OneProps) {
  const [found, reload] = useLoad(`${turn}`, () => api.burnDown(budget.id, subject))
  const [doing, setDoing] = useState<'raise' | 'reset'>()
  if (found.state === 'loading') return <Progress label="Loading the burn-down" />
  if (found.state === 'failed')
    return <Failed title="The burn-down could not be read" problem={found.problem} onRetry={reload} />
  const burnDown = found.value
  const { limit, posted, leased } = burnDown
  const account: Account = { subject, limit, posted, leased, endsMs }
  const sentence = paceText(budget.unit, burnDown, budget.window.kind === 'rolling')
  const done = () => {
    setDoing(undefined)
    onChange()
  }
  return (
    <section
      className="screen-part"
      aria-label={name === '' ? 'All together' : name}
      data-stale={found.isStale || undefined}
    >
      <header className="screen-part-head">
        <h3 className="budget-subject">
          <Name nobody="All together">{name}</Name>
        </h3>
        <div className="budget-actions">
          <Button onClick={() => setDoing('raise')}>Raise for a while…</Button>
          <Button kind="danger" onClick={() => setDoing('reset')}>
            Reset…
          </Button>
        </div>
      </header>
      <Facts budget={budget} account={account} burnDown={burnDown} />
      {sentence !== '' && <p className="budget-pace">{sentence}</p>}
      {burnDown.used === undefined && (
        <p className="minor">
          {budget.unit === 'concurrent'
            ? 'Requests that run use nothing up: there is nothing to burn down.'
            : 'The window is too short for a history by the hour.'}
        </p>
      )}
      <BurnDownChart unit={budget.unit} burnDown={burnDown} sentence={sentence} />
      {doing === 'raise' && (
        <RaiseForm
          api={api}
          budget={budget}
          account={account}
          name={name}
          onDone={done}
          onClose={() => setDoing(undefined)}
        />
      )}
      {doing === 'reset' && (
        <ResetForm
          api={api}
          budget={budget}
          account={account}
          name={name}
          onDone={done}
          onClose={() => setDoing(undefined)}
        />
      )}
    </section>
  )
}

function Facts({ budget, account, burnDown }: { budget: Budget; account: Account; burnDown: BurnDown }) {
  const { unit } = budget
  const { posted, leased, limit, endsMs } = account
  const { nowMs } = burnDown
  const left = Math.max(0, limit - posted - leased)
  return (
    <div className="budget-facts">
      <Meter
        label="Used of the limit"
        text={usedText(unit, account)}
        posted={posted}
        leased={leased}
        limit={limit}
        warnAt={budget.warnAt[0]}
      />
      <TitleBlock label="How it stands">
        <Cell name="Posted" span={2}>
          {formatFigure(unit, posted)}
        </Cell>
        <Cell name="Put aside" span={2} title="By requests that run, and by gateways for requests to come">
          {formatFigure(unit, leased)}
        </Cell>
        <Cell name="Left" span={2}>
          {formatFigure(unit, left)}
        </Cell>
        <Cell
          name="Limit"
          span={2}
          title={limit === budget.limit ? '' : `In place of ${formatAmount(unit, budget.limit)}`}
        >
          {formatFigure(unit, limit)}
          {limit !== budget.limit && <span className="minor">instead of {formatFigure(unit, budget.limit)}</span>}
        </Cell>
        <Cell name="Resets" span={4}>
          {endsMs === undefined ? (
            budget.window.kind === 'rolling' && 'as use grows old'
          ) : (
            <>
              {formatTime(endsMs, nowMs)} <span className="minor">{formatRelative(endsMs, nowMs)}</span>
            </>
          )}
        </Cell>
      </TitleBlock>
      <span className="unseen">{formatCount(Math.round((100 * (posted + leased)) / Math.max(1, limit)))} % used</span>
    </div>
  )
}
