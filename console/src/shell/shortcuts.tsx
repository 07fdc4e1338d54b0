import { KeyHint } from '../design/keyhint.tsx'
import { Sheet } from '../design/sheet.tsx'

const SHORTCUTS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [['/'], 'To the question box'],
  [['Enter'], 'Ask'],
  [['Shift+Enter'], 'A new line in the question'],
  [['Esc'], 'Stop the answer; close a sheet; go out of a part'],
  [['1', '9'], 'To a source by its number'],
  [['↑', '↓', '←', '→'], 'From part to part of a drawing'],
  [['?'], 'This sheet'],
]

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Sheet title="Keyboard shortcuts" place="centre" onClose={onClose}>
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key, at) => (
                <span key={key}>
                  {at > 0 && (key === '9' ? ' to ' : ' ')}
                  <KeyHint keys={key} />
                </span>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Sheet>
  )
}
