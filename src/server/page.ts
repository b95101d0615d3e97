// `/` on the metrics port: the page. Made at the first request and kept.
import type { Handler, HttpResponse } from './http.ts'
import { readPage } from './page-source.ts'

/** Nothing but what stands in the document itself runs; it talks to where it came from alone. */
function policy({ scriptHash, styleHash }: { readonly scriptHash: string; readonly styleHash: string }): string {
  return [
    "default-src 'none'",
    `script-src ${scriptHash}`,
    `style-src ${styleHash}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

export function pageHandler(read = readPage): Handler {
  let made: HttpResponse | undefined
  return () => {
    made ??= response(read())
    return made
  }
}

function response(page: ReturnType<typeof readPage>): HttpResponse {
  return {
    status: 200,
    contentType: 'text/html; charset=utf-8',
    headers: { 'content-security-policy': policy(page) },
    body: page.html,
  }
}
