import { lazy, Suspense, useCallback, useEffect, useState } from 'react'
import { type Alerts, openAlerts } from '../api/alerts.ts'
import { Button } from '../design/button.tsx'
import { useAccess } from '../shell/access.ts'
import './bell.css'

const AlertsSheet = lazy(() => import('./sheet.tsx'))

const LOOK_AGAIN_MS = 30_000

/** Open alerts that nobody has seen yet, and all that are open a click away. */
export function Bell() {
  const { send } = useAccess()
  const [found, setFound] = useState<Alerts>()
  const [isOpen, setOpen] = useState(false)
  const look = useCallback(
    () =>
      openAlerts(send)
        .open()
        .then((result) => {
          // A bell that cannot hear is silent; the pages say what is wrong.
          if (result.ok) setFound(result.value)
        }),
    [send],
  )
  useEffect(() => {
    void look()
    const timer = setInterval(() => {
      if (!document.hidden) void look()
    }, LOOK_AGAIN_MS)
    return () => clearInterval(timer)
  }, [look])
  const fresh = found?.alerts.filter(({ seenBy }) => seenBy === undefined).length ?? 0
  const label = fresh === 0 ? 'Alerts' : fresh === 1 ? '1 new alert' : `${fresh} new alerts`
  return (
    <span className="bell">
      <Button
        kind="quiet"
        icon="bell"
        aria-label={label}
        title={label}
        onClick={() => {
          setOpen(true)
          void look()
        }}
      />
      {fresh > 0 && (
        <span className="bell-count figure" aria-hidden="true">
          {fresh > 99 ? '99+' : fresh}
        </span>
      )}
      {isOpen && (
        <Suspense>
          <AlertsSheet found={found} onChange={() => void look()} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </span>
  )
}
