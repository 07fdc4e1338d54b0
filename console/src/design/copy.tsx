import { useEffect, useState } from 'react'
import { Button } from './button.tsx'

const SHOWN_MS = 1600

/** Copies `text`, and says so for a moment. */
export function CopyText({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return undefined
    const timer = setTimeout(() => setCopied(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <>
      <Button
        kind="quiet"
        icon={copied ? 'done' : 'copy'}
        aria-label={`Copy ${what}`}
        title={`Copy ${what}`}
        onClick={() => void copy(text).then(setCopied)}
      />
      <span className="unseen" role="status">
        {copied ? 'Copied' : ''}
      </span>
    </>
  )
}

/** The clipboard needs https or localhost; a house on the local network has neither. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'unseen'
    document.body.append(area)
    area.select()
    // oxlint-disable-next-line typescript/no-deprecated -- the only way without https
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
