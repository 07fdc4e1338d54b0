import { useState } from 'react'
import type { KeysApi, NewKey } from '../api/keys.ts'
import { Choice } from '../design/choice.tsx'
import { Field } from '../design/field.tsx'
import { FormSheet } from '../design/form.tsx'
import { budgetsIn, listIn } from './bound.ts'

interface Props {
  readonly api: KeysApi
  readonly onMade: (key: NewKey) => void
  readonly onClose: () => void
}

const DAY_MS = 86_400_000
const LIVES = [
  { name: 'never', value: 0 },
  { name: 'in 30 days', value: 30 },
  { name: 'in 90 days', value: 90 },
  { name: 'in a year', value: 365 },
]

const ROLES = [
  { name: 'user', value: 'user' },
  { name: 'admin', value: 'admin' },
]

const NAMEABLE = ['user', 'workflow', 'prompt', 'tags'] as const
const NAMINGS = [
  { name: 'as usual', value: '' },
  { name: 'taken at its word', value: 'accept' },
  { name: 'not looked at', value: 'ignore' },
  { name: 'refused', value: 'refuse' },
]

const BOUND_TO = [
  { field: 'user', label: 'User', placeholder: '' },
  { field: 'team', label: 'Team', placeholder: '' },
  { field: 'tenant', label: 'Tenant', placeholder: '' },
  { field: 'tags', label: 'Tags', placeholder: 'eu, web' },
  { field: 'models', label: 'Models', placeholder: 'all' },
  { field: 'workflows', label: 'Workflows', placeholder: 'all' },
  { field: 'budgets', label: 'Budgets', placeholder: 'usd=10/month' },
] as const

const EMPTY = {
  name: '',
  role: 'user',
  days: 0,
  user: '',
  team: '',
  tenant: '',
  tags: '',
  models: '',
  workflows: '',
  budgets: '',
  mayName: {} as { readonly [what: string]: string },
}

type Wanted = typeof EMPTY

/** A new key: what it is for, and what it is bound to. */
export function CreateForm({ api, onMade, onClose }: Props) {
  const [wanted, setWanted] = useState<Wanted>(EMPTY)
  const set = (change: Partial<Wanted>) => setWanted((before) => ({ ...before, ...change }))
  return (
    <FormSheet
      title="New key"
      action="Make the key"
      missing={missingIn(wanted)}
      onSubmit={async () => {
        const made = await api.create(bodyOf(wanted))
        if (!made.ok) return made.problem
        onMade(made.value)
        return undefined
      }}
      onClose={onClose}
    >
      <Field label="Name" hint="Who or what it is for.">
        {(control) => (
          <input
            {...control}
            className="input"
            autoComplete="off"
            autoFocus
            maxLength={100}
            value={wanted.name}
            onChange={(event) => set({ name: event.target.value })}
          />
        )}
      </Field>
      <div className="form-row">
        <Choice
          label="Role"
          hint={wanted.role === 'admin' ? 'May do everything here.' : 'May ask, and nothing else.'}
          options={ROLES}
          value={wanted.role}
          onChange={(role) => set({ role })}
        />
        <Choice label="Expires" options={LIVES} value={wanted.days} onChange={(days) => set({ days })} />
      </div>
      <Bindings wanted={wanted} onChange={set} />
    </FormSheet>
  )
}

function missingIn({ name, budgets }: Wanted): string | undefined {
  if (name.trim() === '') return 'Say who or what it is for.'
  return budgetsIn(budgets) === undefined ? 'Write budgets as `usd=10/month` or `requests=100/day`.' : undefined
}

function Bindings({ wanted, onChange }: { wanted: Wanted; onChange: (change: Partial<Wanted>) => void }) {
  return (
    <>
      <div className="form-row">
        {BOUND_TO.map(({ field, label, placeholder }) => (
          <Field key={field} label={label}>
            {(control) => (
              <input
                {...control}
                className="input"
                autoComplete="off"
                spellCheck={false}
                placeholder={placeholder}
                value={wanted[field]}
                onChange={(event) => onChange({ [field]: event.target.value })}
              />
            )}
          </Field>
        ))}
      </div>
      <details className="key-naming">
        <summary>What its requests may name themselves</summary>
        <div className="form-row">
          {NAMEABLE.map((what) => (
            <Choice
              key={what}
              label={`${what} named`}
              options={NAMINGS}
              value={wanted.mayName[what] ?? ''}
              onChange={(naming) => onChange({ mayName: { ...wanted.mayName, [what]: naming } })}
            />
          ))}
        </div>
      </details>
    </>
  )
}

function bodyOf({ name, role, days, user, team, tenant, tags, models, workflows, budgets, mayName }: Wanted): object {
  const some = (field: string, value: string) => (value.trim() === '' ? {} : { [field]: value.trim() })
  const list = (field: string, value: string) => (listIn(value).length === 0 ? {} : { [field]: listIn(value) })
  const naming = Object.fromEntries(Object.entries(mayName).filter(([, one]) => one !== ''))
  return {
    name: name.trim(),
    role,
    ...some('user', user),
    ...some('team', team),
    ...some('tenant', tenant),
    ...list('tags', tags),
    ...list('models', models),
    ...list('workflows', workflows),
    ...(budgets.trim() !== '' && { budgets: budgetsIn(budgets) }),
    ...(Object.keys(naming).length > 0 && { mayName: naming }),
    ...(days > 0 && { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() }),
  }
}
