import { useState } from 'react'
import { type NameField } from '../api/traces.ts'
import { Button } from '../design/button.tsx'
import { Segments } from '../design/segments.tsx'
import type { Shown } from './address.ts'

const FIELDS: readonly NameField[] = ['service', 'model', 'user', 'workflow', 'prompt']
const STATUSES = [
  { value: 'any', name: 'any' },
  { value: 'ok', name: 'ok' },
  { value: 'error', name: 'error' },
] as const

interface Props {
  readonly shown: Shown
  readonly onShow: (change: Partial<Shown>) => void
}

/** Narrows down the list; Enter in any field asks. */
export function Filters({ shown, onShow }: Props) {
  const [text, setText] = useState(shown.text)
  const [minMs, setMinMs] = useState(shown.minMs === undefined ? '' : String(shown.minMs))
  const [names, setNames] = useState(shown.names)
  const isFigure = minMs === '' || /^\d{1,9}(\.\d{1,6})?$/.test(minMs)
  const submit = () => {
    if (isFigure) onShow({ text, minMs: Number(minMs) > 0 ? Number(minMs) : undefined, names })
  }
  const isAny = shown.text !== '' || shown.minMs !== undefined || shown.status || Object.keys(shown.names).length > 0
  return (
    <form
      className="trace-filters"
      role="search"
      aria-label="Filters"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <input
        className="input trace-words"
        type="search"
        aria-label="Words"
        placeholder="Find words"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {FIELDS.map((field) => (
        <input
          key={field}
          className="input"
          aria-label={field}
          placeholder={field}
          autoComplete="off"
          value={names[field] ?? ''}
          onChange={(event) => setNames({ ...names, [field]: event.target.value })}
        />
      ))}
      <input
        className="input"
        inputMode="decimal"
        aria-label="At least, in milliseconds"
        placeholder="from … ms"
        autoComplete="off"
        value={minMs}
        aria-invalid={isFigure ? undefined : true}
        onChange={(event) => setMinMs(event.target.value.trim())}
      />
      <Segments
        label="Status"
        value={shown.status ?? 'any'}
        options={STATUSES}
        onChange={(status) => onShow({ status: status === 'any' ? undefined : status })}
      />
      <Button type="submit">Filter</Button>
      {isAny && (
        <Button
          kind="quiet"
          onClick={() => onShow({ text: '', minMs: undefined, names: {}, status: undefined, brush: undefined })}
        >
          Clear
        </Button>
      )}
    </form>
  )
}
