import { useState } from 'react'
import type { KeysApi, NewKey } from '../api/keys.ts'
import { Field } from '../design/field.tsx'
import { FormSheet } from '../design/form.tsx'
import { listIn } from './bound.ts'

interface Props {
  readonly api: KeysApi
  readonly onMade: (key: NewKey) => void
  readonly onClose: () => void
}

const DAY_MS = 86_400_000
const LIVES = [
  { name: 'never', days: 0 },
  { name: 'in 30 days', days: 30 },
  { name: 'in 90 days', days: 90 },
  { name: 'in a year', days: 365 },
] as const

const NAMEABLE = ['user', 'workflow', 'prompt', 'tags'] as const

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
  mayName: {} as { readonly [what: string]: string },
}

type Wanted = typeof EMPTY

/** A new key: what it is for, and what it is bound to. */
export function CreateForm({ api, onMade, onClose }: Props) {
  const [wanted, setWanted] = useState<Wanted>(EMPTY)
  const set = (change: Partial<Wanted>) => setWanted((before) => ({ ...before, ...change }))
  const text = (
    field: 'user' | 'team' | 'tenant' | 'tags' | 'models' | 'workflows',
    label: string,
    placeholder = '',
  ) => (
    <Field label={label}>
      {(control) => (
        <input
          {...control}
          className="input"
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          value={wanted[field]}
          onChange={(event) => set({ [field]: event.target.value })}
        />
      )}
    </Field>
  )
  return (
    <FormSheet
      title="New key"
      action="Make the key"
      missing={wanted.name.trim() === '' ? 'Say who or what it is for.' : undefined}
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
        <Field label="Role" hint={wanted.role === 'admin' ? 'May do everything here.' : 'May ask, and nothing else.'}>
          {(control) => (
            <select
              {...control}
              className="select"
              data-framed
              value={wanted.role}
              onChange={(event) => set({ role: event.target.value })}
            >
              <option value="user">user</option>
              <option value="admin">admin</option>
            </select>
          )}
        </Field>
        <Field label="Expires">
          {(control) => (
            <select
              {...control}
              className="select"
              data-framed
              value={wanted.days}
              onChange={(event) => set({ days: Number(event.target.value) })}
            >
              {LIVES.map(({ name, days }) => (
                <option key={days} value={days}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <div className="form-row">
        {text('user', 'User')}
        {text('team', 'Team')}
        {text('tenant', 'Tenant')}
        {text('tags', 'Tags', 'eu, web')}
        {text('models', 'Models', 'all')}
        {text('workflows', 'Workflows', 'all')}
      </div>
      <details className="key-naming">
        <summary>What its requests may name themselves</summary>
        <div className="form-row">
          {NAMEABLE.map((what) => (
            <Field key={what} label={`${what} named`}>
              {(control) => (
                <select
                  {...control}
                  className="select"
                  data-framed
                  value={wanted.mayName[what] ?? ''}
                  onChange={(event) => set({ mayName: { ...wanted.mayName, [what]: event.target.value } })}
                >
                  <option value="">as usual</option>
                  <option value="accept">taken at its word</option>
                  <option value="ignore">not looked at</option>
                  <option value="refuse">refused</option>
                </select>
              )}
            </Field>
          ))}
        </div>
      </details>
    </FormSheet>
  )
}

function bodyOf({ name, role, days, user, team, tenant, tags, models, workflows, mayName }: Wanted): object {
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
    ...(Object.keys(naming).length > 0 && { mayName: naming }),
    ...(days > 0 && { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() }),
  }
}
