import { type Html, html, type WebPage } from './html';

/** What the page says, besides asking who you are. */
export interface SignInPage {
  /** Why the last attempt failed. */
  readonly refusal?: string;
  readonly signedIn?: { readonly email: string; readonly until: Date };
  readonly codecEndpoint: string;
  readonly temporalUiUrl: string | undefined;
}

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; color: #1c1917; background: #fafaf9 }
label { display: block; margin: 1rem 0 .25rem } input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box; border: 1px solid #78716c; border-radius: 4px }
button { font: inherit; margin-top: 1.25rem; padding: .5rem 1.25rem; border: 0; border-radius: 4px; background: #1d4ed8; color: #fff }
code { background: #e7e5e4; padding: .1rem .3rem; border-radius: 3px } .refusal { color: #b91c1c }
`;

export const signInPage = (page: SignInPage): WebPage => ({ html: textOf(page).html, style, hasForm: true });

const textOf = (page: SignInPage): Html => html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tenure: read workflow histories</title>
<style>${{ html: style }}</style>
<h1>Read workflow histories</h1>
${page.signedIn ? signedIn(page.signedIn, page) : form(page)}
</html>
`;

const form = ({ refusal }: SignInPage): Html => html`<p>What workflows hold is encrypted. Sign in as an operator, and this browser shows it in the Temporal UI for an hour.</p>
${refusal === undefined ? '' : html`<p class="refusal" role="alert">${refusal}</p>`}
<form method="post" action="/codec/sign-in">
  <label for="email">E-mail</label><input id="email" name="email" type="email" autocomplete="username" required autofocus>
  <label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required>
  <button>Sign in</button>
</form>`;

const signedIn = ({ email, until }: { email: string; until: Date }, { codecEndpoint, temporalUiUrl }: SignInPage): Html => html`<p role="status">Signed in as ${email}, until ${until.toISOString().slice(11, 16)} UTC.</p>
<p>Once in each browser, tell the Temporal UI to send the sign-in along: open its codec server settings (the glasses at the top), choose
<em>Use my browser setting</em>, enter <code>${codecEndpoint}</code> and check <em>Include cross-origin credentials</em>.</p>
${temporalUiUrl === undefined ? '' : html`<p><a href="${temporalUiUrl}">Open the Temporal UI</a></p>`}
<form method="post" action="/codec/sign-out"><button>Sign out</button></form>`;
