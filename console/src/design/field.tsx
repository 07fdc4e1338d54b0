import { useId, type ReactNode } from 'react'
import './field.css'
import { Sentence } from './sentence.tsx'

interface Props {
  readonly label: string
  readonly hint?: ReactNode
  /** What is wrong with what was entered. */
  readonly problem?: string | undefined
  /** Draws the control; the attributes tie it to its label and to what is said about it. */
  readonly children: (control: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode
}

export function Field({ label, hint, problem, children }: Props) {
  const id = useId()
  const about = [hint !== undefined && `${id}-hint`, problem !== undefined && `${id}-problem`].filter(Boolean).join(' ')
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        ...(about !== '' && { 'aria-describedby': about }),
        ...(problem !== undefined && { 'aria-invalid': true }),
      })}
      {problem !== undefined && (
        <p className="field-problem" id={`${id}-problem`} role="alert">
          <Sentence text={problem} />
        </p>
      )}
      {hint !== undefined && (
        <p className="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}
