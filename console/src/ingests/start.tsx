import { useState } from 'react'
import type { IngestsApi } from '../api/ingests.ts'
import { Field } from '../design/field.tsx'
import { FormSheet } from '../design/form.tsx'
import { Segments } from '../design/segments.tsx'

interface Props {
  readonly api: IngestsApi
  readonly collection: string | undefined
  readonly onDone: () => void
  readonly onClose: () => void
}

type What = 'path' | 'sources'

/** What is read into which collection. */
export function StartForm({ api, collection, onDone, onClose }: Props) {
  const [name, setName] = useState(collection ?? '')
  const [what, setWhat] = useState<What>('path')
  const [path, setPath] = useState('')
  return (
    <FormSheet
      title="Start a run"
      action="Start"
      missing={
        name.trim() === ''
          ? 'Name the collection.'
          : what === 'path' && !path.trim().startsWith('/')
            ? 'Write the whole path, from its first slash on.'
            : undefined
      }
      onSubmit={async () => {
        const begun = await api.start(name.trim(), what === 'path' ? path.trim() : undefined)
        if (!begun.ok) return begun.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    >
      <Field label="Collection" hint="One that is not there yet is made.">
        {(control) => (
          <input
            {...control}
            className="input"
            autoFocus
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            placeholder="handbook"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <Segments<What>
        label="What is read"
        value={what}
        onChange={setWhat}
        options={[
          { value: 'path', name: 'A path' },
          { value: 'sources', name: 'Its configured sources' },
        ]}
      />
      {what === 'path' ? (
        <Field label="Path" hint="A file or folder on the machine Headworks runs on.">
          {(control) => (
            <input
              {...control}
              className="input"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              placeholder="/srv/docs"
              value={path}
              onChange={(event) => setPath(event.target.value)}
            />
          )}
        </Field>
      ) : (
        <p className="minor">What has not changed is skipped; documents whose source is gone are removed.</p>
      )}
    </FormSheet>
  )
}
