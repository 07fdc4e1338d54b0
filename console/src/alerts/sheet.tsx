import { useState } from 'react'
import { type Alert, type Alerts, openAlerts } from '../api/alerts.ts'
import { Button } from '../design/button.tsx'
import { Card } from '../design/card.tsx'
import { Progress } from '../design/progress.tsx'
import { Sheet } from '../design/sheet.tsx'
import { formatRelative, formatTime } from '../design/units.ts'
import { useAccess } from '../shell/access.ts'
import { useNow } from '../shell/now.ts'
import { useRouter } from '../shell/route.ts'
import { addressOf, evidenceOf, titleOf } from './words.ts'
import './sheet.css'

interface Props {
  readonly found: Alerts | undefined
  readonly onChange: () => void
  readonly onClose: () => void
}

export default function AlertsSheet({ found, onChange, onClose }: Props) {
  return (
    <Sheet title="Alerts" onClose={onClose}>
      {found === undefined && <Progress label="Loading the alerts" />}
      {found?.alerts.length === 0 && (
        <p className="minor">None is open. One is raised when what requests use departs from their own history.</p>
      )}
      <ul className="alert-list">
        {found?.alerts.map((alert) => (
          <li key={alert.id}>
            <AlertCard alert={alert} onChange={onChange} onClose={onClose} />
          </li>
        ))}
      </ul>
      {found?.hasMore === true && <p className="minor">There are more.</p>}
    </Sheet>
  )
}

function AlertCard({ alert, onChange, onClose }: { alert: Alert } & Pick<Props, 'onChange' | 'onClose'>) {
  const router = useRouter()
  const address = addressOf(alert)
  const { send } = useAccess()
  const [problem, setProblem] = useState<string>()
  const nowMs = useNow()
  const acknowledge = async () => {
    const done = await openAlerts(send).acknowledge(alert.id)
    setProblem(done.ok ? undefined : done.problem.message)
    if (done.ok) onChange()
  }
  return (
    <Card head={<h3 className="alert-title">{titleOf(alert)}</h3>} active={alert.seenBy === undefined}>
      <div className="alert-body">
        <dl className="alert-evidence">
          {evidenceOf(alert, nowMs).map(([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="figure">{text}</dd>
            </div>
          ))}
        </dl>
        <p className="alert-foot">
          <span className="minor">
            {formatTime(alert.changedMs, nowMs)} ({formatRelative(alert.changedMs, nowMs)})
            {alert.times > 1 && `, told ${alert.times} times`}
            {alert.seenBy !== undefined && `, seen by ${alert.seenBy}`}
          </span>
          <span className="alert-actions">
            {address !== undefined && (
              <Button
                onClick={() => {
                  onClose()
                  router.go(address)
                }}
              >
                Open the budget
              </Button>
            )}
            {alert.seenBy === undefined && <Button onClick={() => void acknowledge()}>I have seen it</Button>}
          </span>
        </p>
        {problem !== undefined && (
          <p className="field-problem" role="alert">
            {problem}
          </p>
        )}
      </div>
    </Card>
  )
}
