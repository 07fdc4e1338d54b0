import { useRef } from 'react'
import { type Mode, OPERATORS } from '../api/search.ts'
import { Button } from '../design/button.tsx'
import { Choice } from '../design/choice.tsx'
import { Field } from '../design/field.tsx'
import { Segments } from '../design/segments.tsx'
import { useKeys } from '../shell/keys.ts'
import { type Draft, EXPAND_TOKENS_MAX, type FilterDraft, K_MAX } from './address.ts'

interface Props {
  readonly names: readonly string[]
  readonly draft: Draft
  readonly onChange: (draft: Draft) => void
  readonly onSubmit: (draft: Draft) => void
}

const MODES: readonly { readonly value: Mode; readonly name: string }[] = [
  { value: 'hybrid', name: 'Hybrid' },
  { value: 'words', name: 'Words' },
  { value: 'vector', name: 'Vector' },
]
const K_CHOICES = [1, 3, 5, 10, 20, 50, K_MAX]
const EXPAND_CHOICES = [0, 256, 512, 1024, 2048, EXPAND_TOKENS_MAX]

const withOwn = (choices: readonly number[], own: number): number[] =>
  [...new Set([...choices, own])].toSorted((a, b) => a - b)

export function SearchForm({ names, draft, onChange, onSubmit }: Props) {
  const question = useRef<HTMLInputElement>(null)
  useKeys({ '/': () => question.current?.focus() })
  const set = (change: Partial<Draft>) => onChange({ ...draft, ...change })
  return (
    <form
      className="panel search-form"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit(draft)
      }}
    >
      <div className="search-question">
        <input
          ref={question}
          className="input"
          type="search"
          aria-label="Question"
          placeholder="A question, or some words"
          autoFocus
          value={draft.question}
          onChange={(event) => set({ question: event.target.value })}
        />
        <Button kind="primary" type="submit" icon="search" disabled={draft.question.trim() === ''}>
          Search
        </Button>
      </div>
      <Options names={names} draft={draft} set={set} />
      <Filters filters={draft.filters} onChange={(filters) => set({ filters })} />
    </form>
  )
}

interface OptionsProps {
  readonly names: readonly string[]
  readonly draft: Draft
  readonly set: (change: Partial<Draft>) => void
}

function Options({ names, draft, set }: OptionsProps) {
  return (
    <div className="search-options">
      <Choice
        label="Collection"
        options={names.map((name) => ({ value: name, name }))}
        value={draft.collection}
        onChange={(collection) => set({ collection })}
      />
      <div className="field">
        <span className="search-label" aria-hidden="true">
          Mode
        </span>
        <Segments label="Mode" options={MODES} value={draft.mode} onChange={(mode) => set({ mode })} />
      </div>
      <Choice
        label="Passages (k)"
        options={withOwn(K_CHOICES, draft.k).map((k) => ({ value: k, name: String(k) }))}
        value={draft.k}
        onChange={(k) => set({ k })}
      />
      <Choice
        label="Expansion"
        options={withOwn(EXPAND_CHOICES, draft.expandTokens).map((tokens) => ({
          value: tokens,
          name: tokens === 0 ? 'none' : `to ${tokens} tokens`,
        }))}
        value={draft.expandTokens}
        onChange={(expandTokens) => set({ expandTokens })}
      />
      <Field label={`Relevance λ = ${(1 - draft.diversity).toFixed(2)}`}>
        {(control) => (
          <input
            {...control}
            className="search-lambda"
            type="range"
            title="1: by relevance alone. Less: passages that say something else come before those that say the same."
            min={0}
            max={1}
            step={0.05}
            value={Number((1 - draft.diversity).toFixed(2))}
            onChange={(event) => set({ diversity: Number((1 - Number(event.target.value)).toFixed(2)) })}
          />
        )}
      </Field>
    </div>
  )
}

const OPERATOR_NAMES: { readonly [name: string]: string } = {
  eq: '=',
  ne: '≠',
  gt: '>',
  gte: '≥',
  lt: '<',
  lte: '≤',
  in: 'one of',
  nin: 'none of',
}
const FRESH: FilterDraft = { name: '', operator: 'eq', text: '' }

interface FiltersProps {
  readonly filters: readonly FilterDraft[]
  readonly onChange: (filters: readonly FilterDraft[]) => void
}

/** Conditions that all hold. */
function Filters({ filters, onChange }: FiltersProps) {
  const change = (at: number, changed: Partial<FilterDraft>) =>
    onChange(filters.map((filter, where) => (where === at ? { ...filter, ...changed } : filter)))
  return (
    <fieldset className="filters">
      <legend className="unseen">Filter</legend>
      {filters.map((filter, at) => (
        <div key={at} className="filter">
          <input
            className="input"
            aria-label={`Attribute of condition ${at + 1}`}
            placeholder="attribute, such as trust"
            spellCheck={false}
            autoCapitalize="off"
            value={filter.name}
            onChange={(event) => change(at, { name: event.target.value })}
          />
          <select
            className="select"
            data-framed
            aria-label={`Operator of condition ${at + 1}`}
            value={filter.operator}
            onChange={(event) => {
              const operator = OPERATORS.find((one) => one === event.target.value)
              if (operator !== undefined) change(at, { operator })
            }}
          >
            {OPERATORS.map((operator) => (
              <option key={operator} value={operator}>
                {OPERATOR_NAMES[operator]}
              </option>
            ))}
          </select>
          <input
            className="input"
            aria-label={`Value of condition ${at + 1}`}
            placeholder={filter.operator === 'in' || filter.operator === 'nin' ? 'values, with commas' : 'value'}
            spellCheck={false}
            autoCapitalize="off"
            value={filter.text}
            onChange={(event) => change(at, { text: event.target.value })}
          />
          <Button
            kind="quiet"
            icon="close"
            aria-label={`Remove condition ${at + 1}`}
            onClick={() => onChange(filters.filter((_, where) => where !== at))}
          />
        </div>
      ))}
      <div className="filters-foot">
        <Button kind="quiet" icon="plus" onClick={() => onChange([...filters, FRESH])}>
          Add a condition
        </Button>
        {filters.length > 0 && (
          <span className="minor">All must hold. Figures compare as numbers; "2024" in quotes is a text.</span>
        )}
      </div>
    </fieldset>
  )
}
