import { useState } from 'react'
import type { CollectionsApi, Comparison, Generation } from '../api/collections.ts'
import type { Problem } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { Field } from '../design/field.tsx'
import { wilson } from '../design/interval.ts'
import { Progress } from '../design/progress.tsx'
import { Sheet } from '../design/sheet.tsx'
import { Cell, TitleBlock } from '../design/titleblock.tsx'
import { formatCount, formatShare } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { Moves } from './drawing.tsx'
import { modelText } from './words.ts'

interface Props {
  readonly api: CollectionsApi
  readonly name: string
  readonly generation: Generation
  readonly live: Generation | undefined
  readonly onClose: () => void
}

type State =
  | { readonly state: 'idle' | 'asking' }
  | { readonly state: 'failed'; readonly problem: Problem }
  | { readonly state: 'ready'; readonly value: Comparison }

/** What another generation finds otherwise than the one that answers. */
export function CompareSheet({ api, name, generation, live, onClose }: Props) {
  const [text, setText] = useState('')
  const [found, setFound] = useState<State>({ state: 'idle' })
  const ask = async () => {
    setFound({ state: 'asking' })
    const questions = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
    const result = await api.compare(name, generation.id, questions)
    setFound(result.ok ? { state: 'ready', value: result.value } : { state: 'failed', problem: result.problem })
  }
  return (
    <Sheet
      title={`${live?.id ?? 'The live one'} and ${generation.id}`}
      about={
        <p className="sheet-about">
          {modelText(live?.model ?? '')}; {modelText(generation.model)}
        </p>
      }
      onClose={onClose}
    >
      <div className="compare">
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault()
            void ask()
          }}
        >
          <Field label="Questions" hint="One a line, at most 500. None: those that were asked of it lately.">
            {(control) => (
              <textarea
                {...control}
                className="input"
                rows={4}
                value={text}
                onChange={(event) => setText(event.target.value)}
              />
            )}
          </Field>
          <div className="form-foot">
            <Button kind="primary" type="submit" disabled={found.state === 'asking'}>
              Compare
            </Button>
          </div>
        </form>
        {found.state === 'asking' && <Progress label="Searching both" />}
        {found.state === 'failed' && (
          <Failed title="They could not be compared" problem={found.problem} onRetry={() => void ask()} />
        )}
        {found.state === 'ready' && <Result found={found.value} other={generation.id} />}
      </div>
    </Sheet>
  )
}

function Result({ found, other }: { found: Comparison; other: string }) {
  const { questions, changed, overlap, examples, live } = found
  const { low, high } = wilson(changed / Math.max(1, questions), questions)
  return (
    <section className="screen-part" aria-label="What changed" aria-live="polite">
      <TitleBlock label="What changed">
        <Cell name="Questions" span={1}>
          {formatCount(questions)}
        </Cell>
        <Cell
          name="Overlap"
          span={2}
          title="Rank-biased overlap of the first ten, mean over the questions: 1 the same, 0 nothing in common"
        >
          {overlap.toFixed(3)} <span className="minor">n = {formatCount(questions)}</span>
        </Cell>
        <Cell name="Changed" span={3} title="The first ten are not the same passages in the same order">
          {formatCount(changed)}
          <span className="minor">
            {formatShare(changed / Math.max(1, questions))}, 95 % interval {formatShare(low)} to {formatShare(high)}
          </span>
        </Cell>
      </TitleBlock>
      {changed === 0 && <p>Both find the same passages in the same order.</p>}
      {examples.length > 0 && (
        <p className="minor">
          {examples.length < changed ? `The ${formatCount(examples.length)} most changed` : 'All that changed'}, most
          changed first. Lines lead from a rank in {live} to the rank in {other}.
        </p>
      )}
      <ol className="example-list">
        {examples.map((example, at) => (
          <li key={at}>
            <h3 className="example-head">
              <bdi>{example.question}</bdi>
              <span className="minor figure">overlap {example.overlap.toFixed(2)}</span>
            </h3>
            <Moves example={example} live={live} other={other} />
          </li>
        ))}
      </ol>
    </section>
  )
}
