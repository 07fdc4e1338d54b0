import { useState } from 'react'
import type { KeyRow, KeysApi, NewKey } from '../api/keys.ts'
import { Button } from '../design/button.tsx'
import { CopyText } from '../design/copy.tsx'
import { Choice } from '../design/choice.tsx'
import { FormSheet } from '../design/form.tsx'
import { Name } from '../design/name.tsx'
import { Sheet } from '../design/sheet.tsx'
import { Notice } from '../design/state.tsx'

interface Props {
  readonly api: KeysApi
  readonly row: KeyRow
  readonly onClose: () => void
}

const HOUR_MS = 3_600_000
const GRACES: readonly { readonly name: string; readonly value: number }[] = [
  { name: 'at once', value: 0 },
  { name: 'in 1 hour', value: HOUR_MS },
  { name: 'in 24 hours', value: 24 * HOUR_MS },
  { name: 'in 7 days', value: 168 * HOUR_MS },
]

export function RotateForm({ api, row, onMade, onClose }: Props & { onMade: (key: NewKey) => void }) {
  const [graceMs, setGraceMs] = useState<number>(HOUR_MS)
  return (
    <FormSheet
      title="Rotate the key"
      about={
        <p>
          <Name>{row.name}</Name> gets a new text. Its id and everything it is bound to stay; what signed in with it
          signs in again.
        </p>
      }
      action="Rotate"
      onSubmit={async () => {
        const made = await api.rotate(row.id, graceMs)
        if (!made.ok) return made.problem
        onMade(made.value)
        return undefined
      }}
      onClose={onClose}
    >
      <Choice label="The old text ends" options={GRACES} value={graceMs} onChange={setGraceMs} />
    </FormSheet>
  )
}

export function RevokeForm({ api, row, onDone, onClose }: Props & { onDone: () => void }) {
  return (
    <FormSheet
      title="Revoke the key?"
      about={
        <p>
          <Name>{row.name}</Name> opens nothing from now on, on every process within a second, and what is signed in
          with it is signed out. This cannot be taken back.
        </p>
      }
      action="Revoke"
      tone="danger"
      onSubmit={async () => {
        const done = await api.revoke(row.id)
        if (!done.ok) return done.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    />
  )
}

/** The one time that the text is to be seen. */
export function NewKeySheet({ made, isNew, onClose }: { made: NewKey; isNew: boolean; onClose: () => void }) {
  return (
    <Sheet title={isNew ? `The key of ${made.name}` : `The new text of ${made.name}`} place="centre" onClose={onClose}>
      <div className="form">
        <div className="key-text">
          <code>{made.text}</code>
          <CopyText text={made.text} what="the key" />
        </div>
        <Notice tone="caution" title="Copy it now.">
          It is shown this once; only its digest is kept.
        </Notice>
        <div className="form-foot">
          <Button kind="primary" onClick={onClose}>
            I have it
          </Button>
        </div>
      </div>
    </Sheet>
  )
}
