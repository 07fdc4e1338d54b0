import type { ReactNode } from 'react'
import { Field } from './field.tsx'

interface Props<Value extends string | number> {
  readonly label: string
  readonly hint?: ReactNode
  readonly options: readonly { readonly value: Value; readonly name: string }[]
  readonly value: Value
  readonly onChange: (value: Value) => void
}

/** One of several, in a form. */
export function Choice<Value extends string | number>({ label, hint, options, value, onChange }: Props<Value>) {
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <select
          {...control}
          className="select"
          data-framed
          value={value}
          onChange={(event) => {
            const chosen = options.find((option) => String(option.value) === event.target.value)
            if (chosen !== undefined) onChange(chosen.value)
          }}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
