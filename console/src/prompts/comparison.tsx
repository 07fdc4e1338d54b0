import type { PromptsApi, Version } from '../api/prompts.ts'
import { Progress } from '../design/progress.tsx'
import { Segments } from '../design/segments.tsx'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import type { Shown, View } from './address.ts'
import { linesOf, pairsOf, type Line } from './patch.ts'

interface Props {
  readonly api: PromptsApi
  readonly shown: Shown & { readonly prompt: string }
  /** The newest first. */
  readonly versions: readonly Version[]
  readonly onShow: (change: Partial<Shown>) => void
}

const VIEW_NAMES: { readonly [V in View]: string } = { text: 'Text', split: 'Side by side', unified: 'Unified' }

/** One version as it is, or what changed since another. */
export function Comparison({ api, shown, versions, onShow }: Props) {
  const numbers = versions.map(({ version }) => version)
  const to = shown.to ?? numbers[0] ?? 1
  const from = shown.from ?? Math.max(1, to - 1)
  const isAlone = from === to && shown.from === undefined
  const view = isAlone ? 'text' : shown.view
  const chosen = versions.find(({ version }) => version === to)
  return (
    <section className="screen-part" aria-label="What it says">
      <header className="screen-part-head">
        <h2 className="label">What it says</h2>
        <div className="prompt-compared">
          {view !== 'text' && (
            <>
              <VersionChoice label="From" value={from} of={numbers} onChange={(version) => onShow({ from: version })} />
              <span aria-hidden="true">→</span>
            </>
          )}
          <VersionChoice label="To" value={to} of={numbers} onChange={(version) => onShow({ to: version })} />
          {!isAlone && (
            <Segments
              label="Show it as"
              value={view}
              onChange={(value) => onShow({ view: value })}
              options={(['text', 'split', 'unified'] as const).map((one) => ({ value: one, name: VIEW_NAMES[one] }))}
            />
          )}
        </div>
      </header>
      {view === 'text' && chosen !== undefined && <Text version={chosen} />}
      {view === 'text' && chosen === undefined && <p className="minor">Version {to} is not among those shown.</p>}
      {view !== 'text' && <Changes api={api} prompt={shown.prompt} from={from} to={to} view={view} />}
    </section>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: number
  readonly of: readonly number[]
  readonly onChange: (version: number) => void
}

function VersionChoice({ label, value, of, onChange }: ChoiceProps) {
  const known = of.includes(value) ? of : [...of, value]
  return (
    <select
      className="select"
      aria-label={label}
      value={value}
      onChange={(event) => onChange(Number(event.target.value))}
    >
      {known.map((version) => (
        <option key={version} value={version}>
          version {version}
        </option>
      ))}
    </select>
  )
}

function Text({ version: { messages, variables, settings } }: { version: Version }) {
  return (
    <div className="panel prompt-text">
      {messages.map(({ role, content }, at) => (
        <div key={at}>
          <h3 className="label">{role}</h3>
          <pre>{content}</pre>
        </div>
      ))}
      {Object.keys(variables).length > 0 && (
        <div>
          <h3 className="label">Variables</h3>
          <pre>{JSON.stringify(variables, null, 2)}</pre>
        </div>
      )}
      {Object.keys(settings).length > 0 && (
        <div>
          <h3 className="label">Settings</h3>
          <pre>{JSON.stringify(settings, null, 2)}</pre>
        </div>
      )}
    </div>
  )
}

interface ChangesProps {
  readonly api: PromptsApi
  readonly prompt: string
  readonly from: number
  readonly to: number
  readonly view: 'split' | 'unified'
}

function Changes({ api, prompt, from, to, view }: ChangesProps) {
  const [found, reload] = useLoad(`${prompt} ${from} ${to}`, () => api.difference(prompt, from, to))
  if (found.state === 'loading') return <Progress label="Comparing" />
  if (found.state === 'failed')
    return <Failed title="They could not be compared" problem={found.problem} onRetry={reload} />
  if (found.value.isSame)
    return (
      <p className="minor">
        Versions {from} and {to} say the same.
      </p>
    )
  const lines = linesOf(found.value.patch)
  const added = lines.filter(({ kind }) => kind === 'added').length
  const removed = lines.filter(({ kind }) => kind === 'removed').length
  return (
    <>
      <p className="minor figure">
        {added} added, {removed} removed
      </p>
      <div className="patch-frame" tabIndex={0} role="region" aria-label={`From version ${from} to ${to}`}>
        <table className="patch" data-view={view}>
          <caption className="unseen">
            What changed from version {from} to {to}
          </caption>
          {view === 'split' && (
            <colgroup>
              <col className="patch-narrow" />
              <col />
              <col className="patch-narrow" />
              <col />
            </colgroup>
          )}
          <tbody>{view === 'unified' ? lines.map(unifiedRow) : pairsOf(lines).map(splitRow)}</tbody>
        </table>
      </div>
    </>
  )
}

const SIGNS: { readonly [Kind in Line['kind']]: string } = { same: '', added: '+', removed: '−', gap: '' }

const unifiedRow = (line: Line, at: number) =>
  line.kind === 'gap' ? (
    <Gap key={at} columns={3} />
  ) : (
    <tr key={at} data-kind={line.kind}>
      <td className="patch-number figure">{line.from}</td>
      <td className="patch-number figure">{line.to}</td>
      <Said line={line} />
    </tr>
  )

const splitRow = ({ left, right }: { left: Line | undefined; right: Line | undefined }, at: number) =>
  left?.kind === 'gap' ? (
    <Gap key={at} columns={4} />
  ) : (
    <tr key={at}>
      <td className="patch-number figure">{left?.from}</td>
      <Said line={left} />
      <td className="patch-number figure">{right?.to}</td>
      <Said line={right} />
    </tr>
  )

const Gap = ({ columns }: { columns: number }) => (
  <tr className="patch-gap">
    <td colSpan={columns}>lines that are the same</td>
  </tr>
)

/** The sign stands beside the colour: the colour alone says nothing to some. */
function Said({ line }: { line: Line | undefined }) {
  if (line === undefined) return <td className="patch-line" data-kind="none" />
  return (
    <td className="patch-line" data-kind={line.kind}>
      <span className="patch-sign" aria-hidden="true">
        {SIGNS[line.kind]}
      </span>
      {line.kind !== 'same' && <span className="unseen">{line.kind}: </span>}
      <span dir="auto">{line.text}</span>
    </td>
  )
}
