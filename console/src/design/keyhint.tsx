import './keyhint.css'

/** The keys to press, together: `Shift+Enter`. */
export function KeyHint({ keys }: { keys: string }) {
  return (
    <kbd className="keys">
      {keys.split('+').map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </kbd>
  )
}
