import type { KeyRow } from '../api/keys.ts'
import { Button } from '../design/button.tsx'
import { CopyText } from '../design/copy.tsx'
import { Name } from '../design/name.tsx'
import { formatRelative, formatTime } from '../design/units.ts'
import { useNow } from '../shell/now.ts'
import { boundWords } from './bound.ts'

interface Props {
  readonly row: KeyRow
  readonly onRotate: () => void
  readonly onRevoke: () => void
}

export function KeyItem({ row, onRotate, onRevoke }: Props) {
  const { id, name, role, hint, state, bound } = row
  const words = boundWords(bound)
  const isOpen = state !== 'revoked' && state !== 'expired'
  return (
    <li className="key-row" data-shut={!isOpen || undefined}>
      <div className="key-what">
        <Name>{name}</Name>
        <span className="key-id">
          <code>{id}</code>
          <CopyText text={id} what={`the id of ${name}`} />
        </span>
      </div>
      <div className="key-facts">
        <span>
          <code>{hint}</code>
        </span>
        <span className="key-role">{role}</span>
      </div>
      <dl className="key-bound">
        {words.map((one) => (
          <div key={one.name}>
            <dt>{one.name}</dt>
            <dd>
              <bdi>{one.text}</bdi>
            </dd>
          </div>
        ))}
        {words.length === 0 && <span className="minor">bound to nothing</span>}
      </dl>
      <div className="key-state">
        <State row={row} />
      </div>
      <div className="key-actions">
        {isOpen && (
          <>
            <Button kind="quiet" aria-label={`Rotate ${name}`} onClick={onRotate}>
              Rotate…
            </Button>
            <Button kind="quiet" aria-label={`Revoke ${name}`} onClick={onRevoke}>
              Revoke…
            </Button>
          </>
        )}
      </div>
    </li>
  )
}

const TONES: { readonly [state: string]: string } = {
  active: 'good',
  revoked: 'danger',
  expired: 'caution',
  orphaned: 'caution',
}

function State({ row }: { row: KeyRow }) {
  const { state, expiresMs, graceUntilMs, revokedMs } = row
  const nowMs = useNow()
  return (
    <>
      <span className="key-mark" data-tone={TONES[state] ?? 'caution'}>
        {state}
      </span>
      <span className="minor">
        {revokedMs !== undefined && formatTime(revokedMs, nowMs)}
        {revokedMs === undefined && expiresMs === undefined && 'lasts'}
        {revokedMs === undefined && expiresMs !== undefined && (
          <>
            {expiresMs > nowMs ? 'expires' : 'expired'} {formatTime(expiresMs, nowMs)} (
            {formatRelative(expiresMs, nowMs)})
          </>
        )}
        {revokedMs === undefined && graceUntilMs !== undefined && graceUntilMs > nowMs && (
          <>, the old text until {formatTime(graceUntilMs, nowMs)}</>
        )}
      </span>
    </>
  )
}
