"""Style and script of the page."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root{--bg:#fbfaf8;--fg:#22252a;--soft:#6b717a;--card:#fff;--edge:#e2e0db;--good:#1a7f4b;--bad:#b3261e;--warn:#9a6700;--odd:#6b4fbb;--none:#8a9099}
:root[data-theme=dark]{--bg:#14161a;--fg:#e4e6ea;--soft:#9aa1ab;--card:#1c1f25;--edge:#2d323a;--good:#4cc38a;--bad:#ff8a80;--warn:#e3b341;--odd:#b39ddb;--none:#7d8590}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--bg:#14161a;--fg:#e4e6ea;--soft:#9aa1ab;--card:#1c1f25;--edge:#2d323a;--good:#4cc38a;--bad:#ff8a80;--warn:#e3b341;--odd:#b39ddb;--none:#7d8590}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
code,.journal{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.86em}
h1{margin:.2rem 0 .6rem;font-size:1.8rem}h2{margin:1.6rem 0 .5rem;font-size:1.1rem}small{color:var(--soft);font-weight:400}
.verdict{display:inline-block;margin:0;padding:.15rem .7rem;border-radius:1rem;font-weight:600;color:var(--bg)}
.verdict.good{background:var(--good)}.verdict.bad{background:var(--bad)}
.facts{display:flex;flex-wrap:wrap;gap:.3rem 1.6rem;margin:0 0 1rem}.facts dt{color:var(--soft);font-size:.8em}.facts dd{margin:0}
table{border-collapse:collapse}td,th{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top;font-weight:400}th{color:var(--soft)}
.profiles{width:100%}.profiles th{color:inherit}.profiles td:last-child{width:45%;padding-right:0}
.bar{display:flex;height:.7rem;border-radius:.35rem;overflow:hidden;margin-top:.35rem;background:var(--edge)}
nav{position:sticky;top:0;display:flex;flex-wrap:wrap;gap:.4rem;padding:.7rem 0;margin-top:1rem;background:var(--bg);z-index:1;border-bottom:1px solid var(--edge)}
button,input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:.5rem;padding:.25rem .7rem}
button{cursor:pointer}button[aria-pressed=true]{border-color:var(--fg)}input{flex:1;min-width:9rem}
details{background:var(--card);border:1px solid var(--edge);border-left:4px solid var(--none);border-radius:.5rem;margin:.35rem 0;padding:.35rem .8rem}
summary{display:flex;gap:.7rem;align-items:baseline;cursor:pointer;list-style:none}summary::-webkit-details-marker{display:none}
summary b{flex:1;font-weight:500}.level{color:var(--soft);font-size:.85em}
.told{display:grid;grid-template-columns:6rem 1fr;gap:.2rem .8rem}.told dt{color:var(--soft)}.told dd{margin:0;overflow-wrap:anywhere}
.journal{overflow-x:auto;border-top:1px solid var(--edge);padding-top:.4rem}.journal td{white-space:pre-wrap;overflow-wrap:anywhere}.journal td:nth-child(-n+3){white-space:nowrap}
tr.marked{background:color-mix(in srgb,var(--bad) 18%,transparent)}
svg.line{width:100%;margin:.4rem 0}svg.line text{fill:var(--soft);font-size:11px}svg.line line{stroke:var(--edge)}svg.line circle{fill:var(--soft)}svg.line circle.marked{fill:var(--bad)}
i.pass{background:var(--good)}i.fail,i.error,i.misdeclared,i.unexpected-pass{background:var(--bad)}i.waived{background:var(--warn)}i.not-applicable{background:var(--none)}
details.pass{border-left-color:var(--good)}details.fail,details.error{border-left-color:var(--bad)}details.misdeclared,details.unexpected-pass{border-left-color:var(--odd)}details.waived{border-left-color:var(--warn)}
details.pass .sign{color:var(--good)}details.fail .sign,details.error .sign{color:var(--bad)}
[hidden]{display:none!important}
@media print{nav{display:none}body{max-width:none}}
"""

SCRIPT = """
const buttons=[...document.querySelectorAll('nav button[data-result]')],field=document.querySelector('input'),all=[...document.querySelectorAll('details')];
let wanted='';
function show(){const words=field.value.toLowerCase();
for(const one of all)one.hidden=(wanted&&one.dataset.result!==wanted)||!one.dataset.needle.includes(words);
for(const part of document.querySelectorAll('section')){const rows=[...part.querySelectorAll('details')];part.hidden=rows.length>0&&rows.every(r=>r.hidden)}
for(const b of buttons)b.setAttribute('aria-pressed',b.dataset.result===wanted)}
for(const b of buttons)b.onclick=()=>{wanted=b.dataset.result===wanted?'':b.dataset.result;show()};
field.oninput=show;
document.getElementById('theme').onclick=()=>{const r=document.documentElement,dark=r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;r.dataset.theme=dark?'light':'dark'};
"""
