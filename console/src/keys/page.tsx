import { useCallback, useEffect, useMemo, useState } from 'react'
import { type KeyRow, type NewKey, openKeys } from '../api/keys.ts'
import type { Problem } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { Progress } from '../design/progress.tsx'
import '../design/screen.css'
import { Search } from '../design/search.tsx'
import { Segments } from '../design/segments.tsx'
import { EmptyState } from '../design/state.tsx'
import { formatCount } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { Failed } from '../shell/failed.tsx'
import { boundWords } from './bound.ts'
import { CreateForm } from './create.tsx'
import { NewKeySheet, RevokeForm, RotateForm } from './forms.tsx'
import { KeyItem } from './item.tsx'
import './keys.css'

const PAGE = 50

type Doing =
  | { readonly what: 'create' }
  | { readonly what: 'rotate' | 'revoke'; readonly key: KeyRow }
  | { readonly what: 'made'; readonly made: NewKey; readonly isNew: boolean }

/** Who may ask, as whom, and how to change that. */
export default function KeysPage() {
  const { send } = useAccess()
  const api = useMemo(() => openKeys(send), [send])
  const [list, reload] = useAllKeys(api)
  const [typed, setTyped] = useState('')
  const [which, setWhich] = useState<'open' | 'all'>('open')
  const [count, setCount] = useState(PAGE)
  const [doing, setDoing] = useState<Doing>()
  useEffect(() => {
    document.title = 'Keys · Headworks'
  }, [])
  const close = () => setDoing(undefined)
  const made = (key: NewKey, isNew: boolean) => {
    setDoing({ what: 'made', made: key, isNew })
    reload()
  }
  const wanted = typed.trim().toLowerCase()
  const open = list.keys.filter(({ state }) => which === 'all' || state === 'active')
  const fits = open.filter((key) =>
    [key.name, key.id, key.hint, key.role, ...boundWords(key.bound).map(({ text }) => text)]
      .join('\n')
      .toLowerCase()
      .includes(wanted),
  )
  const shut = list.keys.length - list.keys.filter(({ state }) => state === 'active').length
  return (
    <div className="screen keys">
      <header className="screen-head">
        <h1>Keys</h1>
        <Search label="Find a key" value={typed} onChange={setTyped} />
        {shut > 0 && (
          <Segments
            label="Which keys"
            value={which}
            onChange={setWhich}
            options={[
              { value: 'open', name: 'that open' },
              { value: 'all', name: 'all' },
            ]}
          />
        )}
        <Button kind="primary" icon="plus" onClick={() => setDoing({ what: 'create' })}>
          New key
        </Button>
      </header>
      {list.state === 'loading' && list.keys.length === 0 && <Progress label="Loading the keys" />}
      {list.problem !== undefined && (
        <Failed title="The keys could not be listed" problem={list.problem} onRetry={reload} />
      )}
      {list.state === 'ready' && list.keys.length === 0 && (
        <EmptyState title="No keys yet">
          <p>Whoever asks needs one. Make a key for each person and each program, so that each can be revoked alone.</p>
        </EmptyState>
      )}
      {list.keys.length > 0 && fits.length === 0 && <p className="minor">No key fits “{typed}”.</p>}
      {fits.length > 0 && (
        <ul className="key-list">
          {fits.slice(0, count).map((key) => (
            <KeyItem
              key={key.id}
              row={key}
              onRotate={() => setDoing({ what: 'rotate', key })}
              onRevoke={() => setDoing({ what: 'revoke', key })}
            />
          ))}
        </ul>
      )}
      {fits.length > count && (
        <div>
          <Button onClick={() => setCount(count + PAGE * 4)}>Show more of {formatCount(fits.length)}</Button>
        </div>
      )}
      {doing?.what === 'create' && <CreateForm api={api} onMade={(key) => made(key, true)} onClose={close} />}
      {doing?.what === 'rotate' && (
        <RotateForm api={api} row={doing.key} onMade={(key) => made(key, false)} onClose={close} />
      )}
      {doing?.what === 'revoke' && (
        <RevokeForm
          api={api}
          row={doing.key}
          onDone={() => {
            close()
            reload()
          }}
          onClose={close}
        />
      )}
      {doing?.what === 'made' && <NewKeySheet made={doing.made} isNew={doing.isNew} onClose={close} />}
    </div>
  )
}

interface AllKeys {
  readonly state: 'loading' | 'ready'
  readonly keys: readonly KeyRow[]
  readonly problem: Problem | undefined
  /** Which time of asking they are of. */
  readonly turn: number
}

/** The server gives them page by page; they are shown as they come, the newest first. */
function useAllKeys(api: ReturnType<typeof openKeys>): readonly [AllKeys, reload: () => void] {
  const { onUnknown } = useAccess()
  const [all, setAll] = useState<AllKeys>({ state: 'loading', keys: [], problem: undefined, turn: 0 })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let isLast = true
    const load = async () => {
      const keys: KeyRow[] = []
      for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
        const page = await api.list(after)
        if (!isLast) return
        if (!page.ok && page.problem.status === 401) return onUnknown()
        if (!page.ok)
          return setAll(({ keys: before }) => ({ state: 'ready', keys: before, problem: page.problem, turn }))
        keys.push(...page.value.items)
        after = page.value.next
        if (after !== undefined) setAll({ state: 'loading', keys: keys.toReversed(), problem: undefined, turn })
      }
      setAll({ state: 'ready', keys: keys.toReversed(), problem: undefined, turn })
    }
    void load()
    return () => {
      isLast = false
    }
  }, [api, turn, onUnknown])
  return [all, useCallback(() => setTurn((before) => before + 1), [])]
}
