import { useState } from 'react'
import type { House, Session } from '../api/house.ts'
import { Button } from '../design/button.tsx'
import { Field } from '../design/field.tsx'
import { Brand } from './brand.tsx'
import { usePlace } from './route.ts'

const EXPIRED =
  'The sign-in link was used already or is too old. Run `npx headworks login` for a fresh one, or paste a key.'

interface Props {
  readonly house: House
  readonly onSignedIn: (session: Session) => void
}

export function SignIn({ house, onSignedIn }: Props) {
  const [key, setKey] = useState('')
  const isExpired = usePlace().query.get('login') === 'expired'
  const [problem, setProblem] = useState(isExpired ? EXPIRED : undefined)
  const [isTrying, setTrying] = useState(false)
  const submit = async () => {
    if (key.trim() === '') return setProblem('Paste a key first.')
    setTrying(true)
    const result = await house.signIn(key.trim())
    setTrying(false)
    if (result.ok) onSignedIn(result.value)
    else setProblem(result.problem.message)
  }
  return (
    <main className="signin">
      <form
        className="signin-sheet"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <Brand />
        <h1>Sign in</h1>
        {/* Password managers keep a key only beside a name. */}
        <input type="text" name="username" autoComplete="username" value="headworks" readOnly hidden />
        <Field
          label="Key"
          problem={problem}
          hint={
            <>
              The first start of the server printed one. On the machine itself, <code>npx headworks login</code> gives a
              link that needs none.
            </>
          }
        >
          {(control) => (
            <input
              {...control}
              className="input signin-key"
              type="password"
              name="key"
              autoComplete="current-password"
              spellCheck={false}
              autoFocus
              placeholder="hw_…"
              value={key}
              onChange={(event) => {
                setKey(event.target.value)
                setProblem(undefined)
              }}
            />
          )}
        </Field>
        <Button kind="primary" type="submit" disabled={isTrying}>
          {isTrying ? 'Signing in…' : 'Sign in'}
        </Button>
      </form>
    </main>
  )
}
