import { useState } from 'react'
import type { Budget, BudgetsApi, Override, Unit } from '../api/budgets.ts'
import { formatAmount } from '../design/amount.ts'
import { Button } from '../design/button.tsx'
import { FormSheet } from '../design/form.tsx'
import { Name } from '../design/name.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatRelative, formatTime } from '../design/units.ts'
import { useNow } from '../shell/now.ts'

interface Props {
  readonly api: BudgetsApi
  readonly overrides: readonly Override[]
  readonly budgets: readonly Budget[]
  readonly nameOfKey: (id: string) => string
  readonly onChange: () => void
}

/** Limits that stand in for others for a while: for whom, by whom, why, until when. */
export function Overrides({ api, overrides, budgets, nameOfKey, onChange }: Props) {
  const [ending, setEnding] = useState<Override>()
  const nowMs = useNow()
  const words = overrideWords(budgets, nameOfKey)
  return (
    <>
      <Table
        caption="Limits that hold for a while"
        columns={columnsFor(words, nowMs, setEnding)}
        rows={overrides}
        keyOf={({ id }) => id}
      />
      {ending !== undefined && (
        <FormSheet
          title="End it now?"
          action="End now"
          tone="danger"
          about={
            <p>
              The limit of <Name>{words.subjectOf(ending)}</Name> is then again what the configuration says. What was
              used meanwhile counts against it.
            </p>
          }
          onSubmit={async () => {
            const ended = await api.endOverride(ending.budget, ending.id)
            if (!ended.ok) return ended.problem
            setEnding(undefined)
            onChange()
            return undefined
          }}
          onClose={() => setEnding(undefined)}
        />
      )}
    </>
  )
}

interface Words {
  /** Among several budgets, which one is meant is to be said. */
  readonly areMany: boolean
  readonly unitOf: (one: Override) => Unit
  readonly subjectOf: (one: Override) => string
  readonly nameOfKey: (id: string) => string
}

function overrideWords(budgets: readonly Budget[], nameOfKey: Props['nameOfKey']): Words {
  const budgetOf = ({ budget }: Override) => budgets.find(({ id }) => id === budget)
  return {
    areMany: budgets.length > 1,
    unitOf: (one) => budgetOf(one)?.unit ?? 'requests',
    subjectOf: (one) => {
      if (one.subject === '*') return `every ${budgetOf(one)?.scope ?? 'one'}`
      if (one.subject === '') return 'all together'
      return budgetOf(one)?.scope === 'key' ? nameOfKey(one.subject) : one.subject
    },
    nameOfKey,
  }
}

const columnsFor = (
  { areMany, unitOf, subjectOf, nameOfKey }: Words,
  nowMs: number,
  onEnd: (one: Override) => void,
): readonly Column<Override>[] => [
  { name: 'For', cell: (one) => <Name>{subjectOf(one)}</Name> },
  ...(areMany ? [{ name: 'Budget', cell: (one: Override) => <Name>{one.budget}</Name> }] : []),
  { name: 'Limit', cell: (one) => formatAmount(unitOf(one), one.limit), figure: true },
  {
    name: 'Until',
    cell: (one) => (
      <span className="override-until">
        {one.inForce ? '' : `from ${formatTime(one.fromMs, nowMs)} `}
        {formatTime(one.untilMs, nowMs)} <span className="minor">{formatRelative(one.untilMs, nowMs)}</span>
      </span>
    ),
  },
  { name: 'Why', cell: (one) => <span className="override-why">{one.reason}</span> },
  { name: 'By', cell: (one) => <Name>{nameOfKey(one.by)}</Name> },
  {
    name: 'End it',
    isPlain: true,
    cell: (one) => (
      <Button
        className="override-end"
        kind="quiet"
        aria-label={`End the limit of ${subjectOf(one)}`}
        onClick={() => onEnd(one)}
      >
        End now
      </Button>
    ),
  },
]
