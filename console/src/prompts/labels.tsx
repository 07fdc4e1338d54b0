import { useState } from 'react'
import type { Labels, PromptsApi, Turn } from '../api/prompts.ts'
import { Button } from '../design/button.tsx'
import { Choice } from '../design/choice.tsx'
import { Field } from '../design/field.tsx'
import { FormSheet } from '../design/form.tsx'
import { Name } from '../design/name.tsx'
import { Progress } from '../design/progress.tsx'
import { Sheet } from '../design/sheet.tsx'
import { Table, type Column } from '../design/table.tsx'
import { formatTime } from '../design/units.ts'
import { Failed } from '../shell/failed.tsx'
import { useLoad } from '../shell/load.ts'
import { useNow } from '../shell/now.ts'

/** As the server has it. */
const LABEL_PATTERN = '[a-z][a-z0-9._\\-]{0,31}'
const REASON_UNITS_MAX = 1_000
const LABEL_UNITS_MAX = 32

/** `production 3`; where all of them are of one version, without it. */
export function LabelChips({ labels, isOfOne = false }: { labels: Labels; isOfOne?: boolean }) {
  if (labels.length === 0) return <span className="minor">none</span>
  return (
    <span className="prompt-labels">
      {labels.map(([label, version]) => (
        <span key={label} className="prompt-label">
          {label}
          {!isOfOne && <span className="figure"> {version}</span>}
        </span>
      ))}
    </span>
  )
}

interface Props {
  readonly api: PromptsApi
  readonly prompt: string
  readonly labels: Labels
  /** Numbers of versions, the newest first. */
  readonly versions: readonly number[]
  readonly onChange: () => void
}

type Doing = { readonly act: 'turn' | 'rollback' | 'history'; readonly label: string }

/** What the labels point at, and what can be done about it. */
export function LabelList({ api, prompt, labels, versions, onChange }: Props) {
  const [doing, setDoing] = useState<Doing>()
  const close = () => setDoing(undefined)
  const done = () => {
    close()
    onChange()
  }
  const form = doing && { api, prompt, label: doing.label, onClose: close, onDone: done }
  return (
    <section className="screen-part" aria-label="Labels">
      <header className="screen-part-head">
        <h2 className="label">Labels</h2>
        <Button kind="quiet" icon="plus" onClick={() => setDoing({ act: 'turn', label: '' })}>
          Set a label
        </Button>
      </header>
      {labels.length === 0 && <p className="minor">No label points at a version of it yet.</p>}
      {labels.length > 0 && (
        <ul className="row-list">
          {labels.map(([label, version]) => (
            <li key={label} className="prompt-label-row">
              <span>
                <strong>{label}</strong> <span className="minor">is version</span>{' '}
                <strong className="figure">{version}</strong>
              </span>
              <span className="prompt-acts">
                <Button kind="quiet" onClick={() => setDoing({ act: 'turn', label })} aria-label={`Turn ${label}`}>
                  Turn
                </Button>
                <Button
                  kind="quiet"
                  onClick={() => setDoing({ act: 'rollback', label })}
                  aria-label={`Roll ${label} back`}
                >
                  Roll back
                </Button>
                <Button
                  kind="quiet"
                  onClick={() => setDoing({ act: 'history', label })}
                  aria-label={`History of ${label}`}
                >
                  History
                </Button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {doing?.act === 'turn' && form && <TurnForm {...form} labels={labels} versions={versions} />}
      {doing?.act === 'rollback' && form && <RollBackForm {...form} />}
      {doing?.act === 'history' && <History api={api} prompt={prompt} label={doing.label} onClose={close} />}
    </section>
  )
}

interface FormProps extends Pick<Props, 'api' | 'prompt'> {
  readonly label: string
  readonly onClose: () => void
  readonly onDone: () => void
}

/** Points a label, or a new one, at a version. */
function TurnForm({
  api,
  prompt,
  label,
  labels,
  versions,
  onClose,
  onDone,
}: FormProps & Pick<Props, 'labels' | 'versions'>) {
  const [name, setName] = useState(label)
  const now = labels.find(([one]) => one === name)?.[1]
  const [version, setVersion] = useState(versions.find((one) => one !== now) ?? versions[0] ?? 1)
  const [reason, setReason] = useState('')
  const isName = new RegExp(`^${LABEL_PATTERN}$`).test(name)
  return (
    <FormSheet
      title={label === '' ? 'Set a label' : `Turn ${label}`}
      about={
        <p>
          {now === undefined
            ? 'The label is new: requests that name it are made from the version it points at.'
            : `${name} is version ${now}. The next request that names it is made from the version chosen here.`}
        </p>
      }
      action={isName ? `Point ${name} at ${version}` : 'Point it there'}
      missing={isName ? undefined : 'A label begins with a letter: lower-case letters, digits, “.”, “_”, “-”.'}
      onSubmit={async () => {
        const result = await api.turn(prompt, name, version, reason.trim())
        if (!result.ok) return result.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    >
      {label === '' && (
        <Field label="Label">
          {(control) => (
            <input
              {...control}
              className="input"
              value={name}
              maxLength={LABEL_UNITS_MAX}
              autoComplete="off"
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
      )}
      <Choice
        label="Version"
        value={version}
        onChange={setVersion}
        options={versions.map((one) => ({ value: one, name: one === now ? `${one}, as it is` : String(one) }))}
      />
      <Reason value={reason} onChange={setReason} />
    </FormSheet>
  )
}

function RollBackForm({ api, prompt, label, onClose, onDone }: FormProps) {
  const [reason, setReason] = useState('')
  const [turns] = useLoad(`${prompt}@${label}`, () => api.history(prompt, label))
  const [now, before] = turns.state === 'ready' ? turns.value : []
  return (
    <FormSheet
      title={`Roll ${label} back`}
      about={
        <p>
          {turns.state === 'ready' && before === undefined
            ? `${label} never pointed at another version.`
            : `${label} points again at what it pointed at before${
                now === undefined || before === undefined
                  ? ''
                  : `: version ${before.version} in place of ${now.version}`
              }.`}
        </p>
      }
      action="Roll back"
      onSubmit={async () => {
        const result = await api.rollBack(prompt, label, reason.trim())
        if (!result.ok) return result.problem
        onDone()
        return undefined
      }}
      onClose={onClose}
    >
      <Reason value={reason} onChange={setReason} />
    </FormSheet>
  )
}

const Reason = ({ value, onChange }: { value: string; onChange: (value: string) => void }) => (
  <Field label="Reason" hint="It stays in the label’s history. Protected labels take one.">
    {(control) => (
      <input
        {...control}
        className="input"
        value={value}
        maxLength={REASON_UNITS_MAX}
        onChange={(event) => onChange(event.target.value)}
      />
    )}
  </Field>
)

function History({ api, prompt, label, onClose }: Omit<FormProps, 'onDone'>) {
  const [turns, reload] = useLoad(`${prompt}@${label}`, () => api.history(prompt, label))
  const nowMs = useNow()
  return (
    <Sheet title={`History of ${label}`} about={<Name>{prompt}</Name>} onClose={onClose}>
      {turns.state === 'loading' && <Progress label="Loading the history" />}
      {turns.state === 'failed' && (
        <Failed title="The history could not be read" problem={turns.problem} onRetry={reload} />
      )}
      {turns.state === 'ready' && (
        <Table caption={`Turns of ${label}`} rows={turns.value} keyOf={(_, at) => at} columns={turnColumns(nowMs)} />
      )}
    </Sheet>
  )
}

const turnColumns = (nowMs: number): readonly Column<Turn>[] => [
  { name: 'Version', cell: ({ version }) => version, figure: true },
  { name: 'When', cell: ({ atMs }) => (atMs === undefined ? '–' : formatTime(atMs, nowMs)) },
  { name: 'By', cell: ({ by }) => <Name nobody="a file">{by}</Name> },
  { name: 'Reason', cell: ({ reason }) => reason || '–' },
]
