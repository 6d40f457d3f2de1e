# sh store.sh MUONKIT LIKELIHOOD.npz: draws the state of a readout and puts it into a store of conditions, with the
# payload of the likelihood, for all runs
set -e
"$1" conditions draw channels.toml -o payloads
"$1" conditions create store
"$1" conditions tag store real
put() {
  "$1" conditions add store "$2" "$3" --schema "$2/1"
  "$1" conditions tag store real "$2" 1 --iov 0,0,-1,-1
}
put "$1" KLMLikelihoodParameters "$2"
for name in KLMChannelStatus KLMStripEfficiency; do put "$1" $name payloads/$name.json; done
"$1" conditions publish store real
