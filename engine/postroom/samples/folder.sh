#!/bin/sh
# A provider in POSIX shell: takes in every .eml file of a folder. Start it from a router's configuration as process:sh folder.sh
#
# One line of JSON each way, see docs/provider-processes.md. Shell is no JSON parser, so this relies on two promises of the protocol: a line
# holds no blanks between its parts, and anything beyond ASCII is escaped. A file name is a message's key: it is never given to another one.

set -u
folder= asked=0 cancelled=0

# text NAME: the value of a field of the line, "" when it is not there
text() { printf '%s' "$line" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
number() { printf '%s' "$line" | sed -n "s/.*\"$1\":\([0-9][0-9]*\).*/\1/p"; }
answer() { printf '{"id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"id":%s,"error":{"kind":"%s","text":"%s"}}\n' "$id" "$1" "$2"; }
note() { printf '{"call":"log","event":"%s","text":"%s"}\n' "$1" "$2"; }

# ask FIELDS: a call to the engine; its answer is in $reply
ask() {
  asked=$((asked + 1))
  printf '{"id":%s,%s}\n' "$asked" "$1"
  while IFS= read -r reply; do
    case $reply in
      '{"call":"cancel"}') cancelled=1 ;;
      *) return 0 ;;
    esac
  done
  exit 1 # the engine is gone
}

look() {
  case $folder in
    '') refuse ConfigError "Folder is missing" ;;
    *\\*) refuse ConfigError "Folder holds a character that this sample does not read" ;;
    *) if [ -d "$folder" ] && [ -r "$folder" ]; then return 0; fi
       refuse PermissionDenied "Folder is no folder that can be read" ;;
  esac
  return 1
}

run() {
  processed=0 delivered=0 rejected=0 failed=0 more=false cancelled=0
  items=$(number items)
  for file in "$folder"/*.eml; do
    [ -f "$file" ] || continue
    if [ "$cancelled" = 1 ]; then more=true; break; fi
    name=${file##*/}
    case $name in *[!A-Za-z0-9._@+=,\ -]*) note folder.skipped "a file name holds other characters"; continue ;; esac
    ask "\"call\":\"seen.new_among\",\"keys\":[\"$name\"]"
    case $reply in *'"result":[]'*) continue ;; *'"error":'*) line=$reply; refuse "$(text kind)" "the engine refused"; return ;; esac
    if [ "$processed" -ge "${items:-100}" ]; then more=true; break; fi
    octets=$(base64 <"$file" | tr -d '\n')
    ask "\"call\":\"take_in\",\"source_key\":\"$name\",\"octets\":\"$octets\""
    processed=$((processed + 1))
    case $reply in
      *'"disposition":"tracked"'*) delivered=$((delivered + 1)) ;;
      *'"disposition":null'* | *'"disposition":"parked"'*) failed=$((failed + 1)) ;;
      *'"disposition":"filtered"'*) rejected=$((rejected + 1)) ;;
      *) processed=$((processed - 1)); line=$reply; refuse "$(text kind)" "the engine refused"; return ;;
    esac
  done
  answer "{\"processed\":$processed,\"delivered\":$delivered,\"rejected\":$rejected,\"failed\":$failed,\"more\":$more}"
}

while IFS= read -r line; do
  call=$(text call)
  # the engine's own ids come last of all "id":, since no value of ours holds one
  id=$(number id)
  case $call in
    hello) answer '{"name":"folder","direction":"inbound","api":[1,0],"capabilities":["check","stateful"],"config":[{"name":"Folder","type":"text","required":true,"identity":true,"help":"the folder whose .eml files are taken in"}]}' ;;
    configure) folder=$(text Folder); answer '{}' ;;
    check) look && answer '{"detail":"the folder can be read"}' ;;
    run) look && run ;;
    close) answer '{}'; exit 0 ;;
    cancel) ;;
    *) refuse ProtocolError "unknown call" ;;
  esac
done
