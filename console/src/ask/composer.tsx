import { useState, type KeyboardEvent, type RefObject } from 'react'
import type { Model } from '../api/house.ts'
import { Button } from '../design/button.tsx'
import { KeyHint } from '../design/keyhint.tsx'

const QUESTION_CHARS_MAX = 16_000

interface Props {
  readonly box: RefObject<HTMLTextAreaElement | null>
  readonly models: readonly Model[]
  readonly question: string
  /** The one in the address, which may name one that is gone. */
  readonly model: string | undefined
  /** The question came with the address and has not been asked: a link must not spend anything. */
  readonly isLinked: boolean
  readonly isRunning: boolean
  readonly onAsk: (question: string, model: string) => void
  readonly onStop: () => void
}

export function Composer({ box, models, question, model, isLinked, isRunning, onAsk, onStop }: Props) {
  const [text, setText] = useState(question)
  const [chosen, setChosen] = useState(
    () =>
      (models.find((one) => one.id === model) ?? models.find((one) => one.kind === 'workflow') ?? models[0])?.id ?? '',
  )
  const submit = () => {
    if (text.trim() !== '') onAsk(text.trim(), chosen)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <label className="unseen" htmlFor="question">
        Question
      </label>
      <textarea
        ref={box}
        id="question"
        className="composer-text"
        rows={1}
        maxLength={QUESTION_CHARS_MAX}
        placeholder="What do you want to know?"
        autoFocus={matchMedia('(pointer: fine)').matches && (question === '' || isLinked)}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="composer-foot">
        <ModelChoice models={models} chosen={chosen} onChoose={setChosen} />
        <span className="composer-hint" data-linked={isLinked || undefined}>
          <Hint isLinked={isLinked} isRunning={isRunning} />
        </span>
        {isRunning ? (
          <Button key="stop" icon="stop" onClick={onStop} title="Stop (Esc)">
            Stop
          </Button>
        ) : (
          <Button key="ask" kind="primary" icon="arrow" type="submit" disabled={text.trim() === ''}>
            Ask
          </Button>
        )}
      </div>
    </form>
  )
}

function Hint({ isLinked, isRunning }: { isLinked: boolean; isRunning: boolean }) {
  if (isRunning)
    return (
      <>
        <KeyHint keys="Esc" /> stops
      </>
    )
  if (isLinked)
    return (
      <>
        This question came with the link. <KeyHint keys="Enter" /> asks it.
      </>
    )
  return (
    <>
      <KeyHint keys="Enter" /> asks, <KeyHint keys="Shift+Enter" /> breaks the line
    </>
  )
}

function ModelChoice({
  models,
  chosen,
  onChoose,
}: {
  models: readonly Model[]
  chosen: string
  onChoose: (model: string) => void
}) {
  const groups = [
    ['Workflows', models.filter((one) => one.kind === 'workflow')],
    ['Models', models.filter((one) => one.kind === 'model')],
  ] as const
  return (
    <select
      className="select"
      aria-label="Workflow or model"
      value={chosen}
      onChange={(event) => onChoose(event.target.value)}
    >
      {groups.map(
        ([name, members]) =>
          members.length > 0 && (
            <optgroup key={name} label={name}>
              {members.map((one) => (
                <option key={one.id} value={one.id} title={one.description}>
                  {one.id}
                </option>
              ))}
            </optgroup>
          ),
      )}
    </select>
  )
}
