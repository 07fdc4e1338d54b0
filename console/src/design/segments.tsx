import { useId } from 'react'
import { Icon, type IconName } from './icon.tsx'
import './segments.css'

interface Props<Value extends string> {
  readonly label: string
  /** Without an icon the name stands in sight. */
  readonly options: readonly { readonly value: Value; readonly name: string; readonly icon?: IconName }[]
  readonly value: Value
  readonly onChange: (value: Value) => void
}

/** One of a few, all in sight: a radio group, so arrow keys choose. */
export function Segments<Value extends string>({ label, options, value, onChange }: Props<Value>) {
  const name = useId()
  return (
    <fieldset className="segments">
      <legend className="unseen">{label}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.name}>
          <input
            type="radio"
            className="unseen"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.icon !== undefined && <Icon name={option.icon} />}
          <span className={option.icon === undefined ? 'segments-name' : 'unseen'}>{option.name}</span>
        </label>
      ))}
    </fieldset>
  )
}
