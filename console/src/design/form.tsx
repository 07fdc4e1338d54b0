import { useState, type ReactNode } from 'react'
import type { Problem } from '../api/problem.ts'
import { Button } from './button.tsx'
import './form.css'
import { Sentence } from './sentence.tsx'
import { Sheet } from './sheet.tsx'

interface Props {
  readonly title: ReactNode
  readonly about?: ReactNode
  /** What the button does, in a word or two: it is the confirmation. */
  readonly action: string
  readonly tone?: 'plain' | 'danger'
  /** Why it is not to be sent yet, or undefined. */
  readonly missing?: string | undefined
  /** Resolves to what went wrong. */
  readonly onSubmit: () => Promise<Problem | undefined>
  readonly onClose: () => void
  readonly children?: ReactNode
}

/** Something that is done once it was confirmed: what it will do, what it needs to know, two buttons.
 *  It stays open with the reason when it fails. */
export function FormSheet({ title, about, action, tone = 'plain', missing, onSubmit, onClose, children }: Props) {
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const submit = async () => {
    if (missing !== undefined) return setProblem(missing)
    setBusy(true)
    setProblem(undefined)
    const failed = await onSubmit()
    setBusy(false)
    if (failed !== undefined) setProblem(failed.message)
  }
  return (
    <Sheet title={title} place="centre" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        {about}
        {children}
        {problem !== undefined && (
          <p className="form-problem" role="alert">
            <Sentence text={problem} />
          </p>
        )}
        <div className="form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={tone === 'danger' ? 'danger' : 'primary'} type="submit" disabled={isBusy}>
            {action}
          </Button>
        </div>
      </form>
    </Sheet>
  )
}
