import { useState } from 'react'
import type { Account, Budget, BudgetsApi } from '../api/budgets.ts'
import { formatAmount } from '../design/amount.ts'
import { Choice } from '../design/choice.tsx'
import { Field } from '../design/field.tsx'
import { FormSheet } from '../design/form.tsx'
import { Name } from '../design/name.tsx'
import { usedText } from './words.ts'

interface Props {
  readonly api: BudgetsApi
  readonly budget: Budget
  readonly account: Account
  readonly name: string
  readonly onDone: () => void
  readonly onClose: () => void
}

const HOUR_MS = 3_600_000
const SPANS: readonly { readonly name: string; readonly value: number }[] = [
  { name: '1 hour', value: HOUR_MS },
  { name: '12 hours', value: 12 * HOUR_MS },
  { name: '24 hours', value: 24 * HOUR_MS },
  { name: '3 days', value: 72 * HOUR_MS },
  { name: '7 days', value: 168 * HOUR_MS },
  { name: '30 days', value: 720 * HOUR_MS },
]
const REASON_UNITS_MAX = 500

/** Another limit for a while: how much, how long, why. */
export function RaiseForm({ api, budget, account, name, onDone, onClose }: Props) {
  const isMoney = budget.unit === 'nanoUsd'
  const [limit, setLimit] = useState('')
  const [spanMs, setSpanMs] = useState<number>(24 * HOUR_MS)
  const [reason, setReason] = useState('')
  const amount = limit
    .trim()
    .replace(/^\$/, '')
    .replaceAll(/[, _](?=\d{3})/g, '')
  const isAmount = isMoney ? /^\d{1,12}(\.\d{1,9})?$/.test(amount) : /^\d{1,16}$/.test(amount)
  const shown = isAmount ? formatAmount(budget.unit, isMoney ? Number(amount) * 1e9 : Number(amount)) : ''
  return (
    <FormSheet
      title="Raise for a while"
      about={
        <p>
          <Name nobody="All together">{name}</Name>: {usedText(budget.unit, account)}.
        </p>
      }
      action={shown === '' ? 'Set the limit' : `Set ${shown}`}
      missing={
        !isAmount
          ? `Write the new limit as ${isMoney ? 'dollars, such as 75 or 2.50' : 'a whole number'}.`
          : reason.trim() === ''
            ? 'Say why: it goes on record.'
            : undefined
      }
      onSubmit={async () => {
        const until = new Date(Date.now() + spanMs).toISOString()
        const raised = await api.raise(budget.id, {
          subject: account.subject,
          limit: amount,
          until,
          reason: reason.trim(),
        })
        if (!raised.ok) return raised.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    >
      <div className="form-row">
        <Field label="New limit" hint={isMoney ? 'In US dollars. It may be lower, too.' : 'It may be lower, too.'}>
          {(control) => (
            <input
              {...control}
              className="input figure"
              inputMode={isMoney ? 'decimal' : 'numeric'}
              autoComplete="off"
              autoFocus
              placeholder={formatAmount(budget.unit, account.limit)}
              value={limit}
              onChange={(event) => setLimit(event.target.value)}
            />
          )}
        </Field>
        <Choice
          label="For"
          hint="Then the limit of the configuration holds again."
          options={SPANS}
          value={spanMs}
          onChange={setSpanMs}
        />
      </div>
      <Reason value={reason} onChange={setReason} />
    </FormSheet>
  )
}

/** The period begins afresh: why. */
export function ResetForm({ api, budget, account, name, onDone, onClose }: Props) {
  const [reason, setReason] = useState('')
  return (
    <FormSheet
      title="Begin the period afresh"
      about={
        <p>
          Of <Name nobody="all together">{name}</Name> {formatAmount(budget.unit, account.posted)} posted in this window
          will no longer count: all of the limit can be used again. What running requests have put aside stays.
        </p>
      }
      action="Reset"
      tone="danger"
      missing={reason.trim() === '' ? 'Say why: it goes on record.' : undefined}
      onSubmit={async () => {
        const done = await api.reset(budget.id, account.subject, reason.trim())
        if (!done.ok) return done.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    >
      <Reason value={reason} onChange={setReason} autoFocus />
    </FormSheet>
  )
}

function Reason({
  autoFocus,
  value,
  onChange,
}: {
  autoFocus?: boolean
  value: string
  onChange: (value: string) => void
}) {
  return (
    <Field label="Why" hint="On record, with your name.">
      {(control) => (
        <input
          {...control}
          className="input"
          autoComplete="off"
          autoFocus={autoFocus}
          maxLength={REASON_UNITS_MAX}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}
